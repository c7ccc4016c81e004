"""Reads request bodies with a size limit, and checks that parsed JSON can be stored."""

from math import isfinite
from typing import Any

from starlette.types import Receive

from api.http import problems
from schemas.problems import FieldProblem

LARGEST_INTEGER = 2**63 - 1
LONGEST_POINTER = 300

Trail = tuple["Trail | None", str | int] | None
"""The path from the root to a value as a linked list; it becomes a JSON Pointer only for an error."""


class Disconnected(Exception):
    """The client has disconnected. The connection is closed and nothing is logged."""


async def read_body(receive: Receive, content_length: str | None, max_bytes: int) -> bytes:
    """The whole body. A too large one is refused as soon as that is known, before it is in memory."""
    if content_length is not None and content_length.isdigit() and int(content_length[:20]) > max_bytes:
        raise problems.body_too_large(max_bytes)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return _bounded(body, max_bytes)
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        size += len(message.get("body", b""))
        if size > max_bytes:
            raise problems.body_too_large(max_bytes)
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def _bounded(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise problems.body_too_large(max_bytes)
    return body


def check_tree(tree: Any, max_levels: int) -> None:
    """Raises a Refusal for what can't be stored: too many levels, numbers beyond 64 bits, null characters."""
    unread: list[tuple[Any, int, Trail]] = [({"": tree}, 0, None)]
    while unread:
        container, level, trail = unread.pop()
        if level > max_levels:
            raise problems.too_deep(max_levels)
        for key, value in container.items() if type(container) is dict else enumerate(container):
            if type(key) is str and "\x00" in key:
                raise _refused(trail, "a name in it has a null character (U+0000); remove it")
            kind = type(value)
            if kind is dict or kind is list:
                unread.append((value, level + 1, (trail, key)))
            elif (fault := _fault_of(value)) is not None:
                raise _refused((trail, key), fault)


def _fault_of(value: Any) -> str | None:
    if isinstance(value, str) and "\x00" in value:
        return "the text has a null character (U+0000); remove it"
    if isinstance(value, int) and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return "the number is beyond 64 bits; send it as text"
    if isinstance(value, float) and not isfinite(value):
        return "the number is too large; send it as text"
    return None


def _refused(trail: Trail, detail: str) -> problems.Refusal:
    return problems.invalid_fields([FieldProblem(pointer=_pointer(trail), detail=detail)])


def _pointer(trail: Trail) -> str:
    parts: list[str | int] = []
    while trail is not None:
        trail, part = trail
        parts.append(part)
    # The first part is the wrapper that check_tree put around the tree.
    return pointer_to(parts[-2::-1])


def pointer_to(parts: list[str | int]) -> str:
    """The JSON Pointer (RFC 6901), truncated to LONGEST_POINTER characters."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)[:LONGEST_POINTER]
