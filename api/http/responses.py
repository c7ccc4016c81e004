"""Responses that handlers return, and how they are sent."""

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Self

from starlette.types import Send

from schemas.model import Model
from schemas.problems import Problem

Header = tuple[bytes, bytes]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
CACHE = b"cache-control"
UNSHARED: Header = (CACHE, b"private, no-cache")
"""Only the client's own cache may keep it, and asks each time whether it is still so."""
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
POLICY: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""For every response that isn't a page: a browser that shows it as one runs nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response, held in memory."""

    status: int
    body: bytes = b""
    media_type: bytes = JSON
    headers: tuple[Header, ...] = ()

    def with_headers(self, *headers: Header) -> Self:
        return replace(self, headers=self.headers + headers)

    @property
    def etag(self) -> bytes:
        """A strong ETag: the hash of the body."""
        return b'"' + blake2b(self.body, digest_size=12).hexdigest().encode() + b'"'


@dataclass(frozen=True, slots=True)
class NoBody:
    """In an endpoint's declaration: a response without content."""


@dataclass(frozen=True, slots=True)
class Media:
    """In an endpoint's declaration: a response that isn't JSON."""

    type: str
    description: str = field(default="")


@dataclass(frozen=True, slots=True)
class Either:
    """In an endpoint's declaration: JSON, or the same in another media type where the client asks for it."""

    model: type[Model]
    media: Media


def json_answer(status: int, model: Model, *headers: Header) -> Answer:
    """The model as JSON, with `cache-control: no-store` unless `headers` has its own."""
    kept = () if any(name == CACHE for name, _ in headers) else ((CACHE, b"no-store"),)
    return Answer(status, model.model_dump_json().encode(), headers=kept + headers)


def problem_answer(problem: Problem, headers: tuple[Header, ...] = ()) -> Answer:
    """The problem as `application/problem+json` (RFC 9457), with Retry-After if it has `retry_after_seconds`."""
    if problem.retry_after_seconds is not None:
        headers += ((b"retry-after", str(max(1, round(problem.retry_after_seconds))).encode()),)
    body = problem.model_dump_json(exclude_defaults=True).encode()
    return Answer(problem.status, body, Problem.media_type.encode(), headers)


async def send_answer(send: Send, answer: Answer, *, more_body: bool = False) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode()), *answer.headers]
    if answer.body:
        headers.append((b"content-type", answer.media_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": more_body})
