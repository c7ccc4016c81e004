"""Serves originals and texts: whole or in part, in bounded memory, and never as something that a browser runs."""

from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import Any, Final, Protocol

from api.endpoint import Call, Empty
from api.http import problems
from api.http.digests import as_header
from api.http.entity_tags import is_known
from api.http.ranges import ByteRange, wanted_range
from api.http.responses import POLICY, UNSHARED, Answer, Header
from api.streams.download import Download
from api.uploads.file_names import attachment
from infrastructure.postgres.documents import queries
from infrastructure.postgres.documents.contents import StoredContent
from schemas.documents import VersionNumber
from schemas.model import Model

WHAT: Final = "content"
PLAIN_TEXT: Final = "text/plain; charset=utf-8"
SANDBOX: Header = (POLICY[0], b"sandbox; " + POLICY[1])
"""A stored page mustn't run on our origin, however a browser was made to show it."""


class ContentQuery(Model):
    version: VersionNumber | None = None
    """The current one if it isn't given; the newest while none was imported."""


class Read(Protocol):
    def __call__(self, *, start: int, end: int) -> Awaitable[AsyncIterator[bytes] | None]: ...


async def show_content(call: Call[Empty, ContentQuery]) -> Answer | Download:
    """The original as it was sent; of a version that came as text, that text in UTF-8."""
    content = await _content(call)
    name = content.file_name or content.document_id.rsplit("/", 1)[-1]
    digest = ((b"repr-digest", as_header(content.digest)),) if content.digest else ()
    headers = (
        (b"content-type", (PLAIN_TEXT if content.is_text else content.media_type).encode()),
        (b"content-disposition", attachment(name)),
        *digest,
    )
    etag = f'"{content.version}-{content.digest.hex()[:32]}"'
    read = partial(call.ingress.contents.original, call.tenant_id, content)
    return _serve(call, etag, content.size_bytes, headers, read)


async def show_text(call: Call[Empty, ContentQuery]) -> Answer | Download:
    """The text that was read of it."""
    content = await _content(call)
    etag = f'"{content.version}-text-{content.digest.hex()[:32]}"'
    headers = ((b"content-type", PLAIN_TEXT.encode()),)
    if content.text_bytes is not None:
        read = partial(call.ingress.contents.long_text, call.tenant_id, content)
        return _serve(call, etag, content.text_bytes, headers, read)
    text = await call.ingress.contents.text(call.tenant_id, content)
    if text is None:
        raise problems.not_found("text")
    encoded = text.encode()
    return _serve(call, etag, len(encoded), headers, partial(_part_of, encoded))


async def _content(call: Call[Empty, ContentQuery]) -> StoredContent:
    document_id, number = call.path["id"], call.query.version
    content = await call.orm.run(queries.content, document_id, number)
    if content is None and number is None:
        document = await call.orm.run(queries.document, document_id)
        newest = None if document is None or document.deleted_at else document.version
        content = None if newest is None else await call.orm.run(queries.content, document_id, newest)
    if content is None:
        raise problems.not_found("document" if number is None else "version")
    return content


def _serve(call: Call[Any, Any], etag: str, size_bytes: int, own: tuple[Header, ...], read: Read) -> Answer | Download:
    """The bytes that the request asks for; 304 when it has them."""
    tagged = ((b"etag", etag.encode()), UNSHARED)
    if is_known(call.headers.get("if-none-match"), etag):
        return Answer(304, headers=tagged)
    wanted = wanted_range(call.headers.get("range"), call.headers.get("if-range"), etag, size_bytes)
    part = wanted or ByteRange(0, size_bytes)
    headers = (*own, *tagged, SANDBOX, (b"accept-ranges", b"bytes"), (b"content-length", b"%d" % part.size_bytes))
    if wanted is not None:
        headers += ((b"content-range", wanted.content_range(size_bytes)),)
    return Download(
        partial(read, start=part.start, end=part.end),
        headers,
        call.ingress.credentials,
        call.principal,
        WHAT,
        status=200 if wanted is None else 206,
    )


async def _part_of(content: bytes, *, start: int, end: int) -> AsyncIterator[bytes]:
    return _single(content[start:end])


async def _single(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
