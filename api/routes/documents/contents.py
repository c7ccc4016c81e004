"""Serves originals and texts: whole or in part, in bounded memory, and never as something that a browser runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from api.endpoint import Call, Empty
from api.http import problems
from api.http.digests import as_header
from api.http.entity_tags import is_known
from api.http.ranges import ByteRange, wanted_range
from api.http.responses import POLICY, UNSHARED, Answer, Header
from api.streams.download import Download
from api.uploads.file_names import attachment
from infrastructure.key_vault.cells import original_key_cell, text_cell, text_key_cell
from infrastructure.object_store.places import document_place
from infrastructure.postgres.documents import queries
from infrastructure.postgres.documents.contents import StoredContent
from schemas.documents import VersionNumber, VersionState
from schemas.model import Model

WHAT: Final = "content"
PLAIN_TEXT: Final = "text/plain; charset=utf-8"
SANDBOX: Header = (POLICY[0], b"sandbox; " + POLICY[1])
"""A stored page mustn't run on our origin, however a browser was made to show it."""


class ContentQuery(Model):
    version: VersionNumber | None = None
    """The current one if it isn't given; the newest while none was imported."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A content in the object store, or one that is in memory already because it is short."""

    etag: str
    size_bytes: int
    headers: tuple[Header, ...]
    place: str = ""
    key: bytes = b""
    inline: bytes | None = None


async def show_content(call: Call[Empty, ContentQuery]) -> Answer | Download:
    """The original as it was sent; of a version that came as text, that text in UTF-8."""
    content = await _content(call)
    etag = f'"{content.version}-{content.digest.hex()[:32]}"'
    name = content.file_name or content.document_id.rsplit("/", 1)[-1]
    kind = content.media_type if content.original_key is not None else PLAIN_TEXT
    digest = ((b"repr-digest", as_header(content.digest)),) if content.digest else ()
    headers = ((b"content-type", kind.encode()), (b"content-disposition", attachment(name)), *digest)
    if content.original_key is None:
        return await _serve(call, await _inline(call, content, etag, headers))
    cell = original_key_cell(call.tenant_id, content.cell)
    key = await call.ingress.sealer.open_bytes(cell, content.original_key)
    place = document_place(call.tenant_id, content.cell)
    return await _serve(call, _Stored(etag, content.size_bytes, headers, place, key))


async def show_text(call: Call[Empty, ContentQuery]) -> Answer | Download:
    """The text that was read of it."""
    content = await _content(call)
    if content.state is not VersionState.READY:
        raise problems.not_found("text")
    etag = f'"{content.version}-text-{content.digest.hex()[:32]}"'
    headers = ((b"content-type", PLAIN_TEXT.encode()),)
    if content.text_key is None or content.text_cell is None or content.text_bytes is None:
        return await _serve(call, await _inline(call, content, etag, headers))
    cell = text_key_cell(call.tenant_id, content.cell)
    key = await call.ingress.sealer.open_bytes(cell, content.text_key)
    place = document_place(call.tenant_id, content.text_cell)
    return await _serve(call, _Stored(etag, content.text_bytes, headers, place, key))


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


async def _inline(
    call: Call[Empty, ContentQuery], content: StoredContent, etag: str, headers: tuple[Header, ...]
) -> _Stored:
    if content.text is None:
        raise problems.not_found(WHAT)
    text = await call.ingress.sealer.open(text_cell(call.tenant_id, content.cell), content.text)
    inline = text.encode()
    return _Stored(etag, len(inline), headers, inline=inline)


async def _serve(call: Call[Any, Any], stored: _Stored) -> Answer | Download:
    own = ((b"etag", stored.etag.encode()), UNSHARED)
    if is_known(call.headers.get("if-none-match"), stored.etag):
        return Answer(304, headers=own)
    wanted = wanted_range(call.headers.get("range"), call.headers.get("if-range"), stored.etag, stored.size_bytes)
    part = wanted or ByteRange(0, stored.size_bytes)
    headers = (*stored.headers, *own, SANDBOX, (b"accept-ranges", b"bytes"))
    headers += ((b"content-length", b"%d" % (part.end - part.start)),)
    if wanted is not None:
        headers += ((b"content-range", wanted.content_range(stored.size_bytes)),)
    return Download(
        partial(_read, call, stored, part),
        headers,
        call.ingress.credentials,
        call.principal,
        WHAT,
        status=200 if wanted is None else 206,
    )


async def _read(call: Call[Any, Any], stored: _Stored, part: ByteRange) -> AsyncIterator[bytes] | None:
    if stored.inline is not None:
        return _once(stored.inline[part.start : part.end])
    return await call.ingress.originals.read(
        stored.place, stored.key, size_bytes=stored.size_bytes, start=part.start, end=part.end
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    if content:
        yield content
