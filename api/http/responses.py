"""What a handler gives back, and how it is written to the wire."""

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
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
POLICY: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Of every answer that isn't a page: whoever gets a browser to show it as one gets nothing to run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, small enough to hold."""

    status: int
    body: bytes = b""
    media_type: bytes = JSON
    headers: tuple[Header, ...] = ()

    def with_headers(self, *headers: Header) -> Self:
        return replace(self, headers=self.headers + headers)

    @property
    def etag(self) -> bytes:
        """A strong validator: it changes whenever a byte of the body does."""
        return b'"' + blake2b(self.body, digest_size=12).hexdigest().encode() + b'"'


@dataclass(frozen=True, slots=True)
class NoBody:
    """Stands in a declaration for an answer without content."""


@dataclass(frozen=True, slots=True)
class Media:
    """Stands in a declaration for an answer that isn't JSON."""

    type: str
    description: str = field(default="")


def json_answer(status: int, model: Model, *headers: Header) -> Answer:
    """The model as JSON, which no cache keeps unless a header says otherwise."""
    kept = () if any(name == CACHE for name, _ in headers) else ((CACHE, b"no-store"),)
    return Answer(status, model.model_dump_json().encode(), headers=kept + headers)


def problem_answer(problem: Problem, headers: tuple[Header, ...] = ()) -> Answer:
    """The problem as RFC 9457 writes it, with Retry-After where the problem names a time."""
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
