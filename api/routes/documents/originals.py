"""Stores the originals of documents before anything says that they exist, and removes those that nothing will."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from uuid_utils.compat import uuid7

from api.endpoint import Call
from api.http import document_problems, problems
from api.routes.documents.fields import UploadFields
from infrastructure.key_vault.cells import original_key_cell, text_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.object_store.places import document_place
from infrastructure.ports.objects import TooLarge
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.tenants.quotas import QuotaExceeded, TenantSuspended
from infrastructure.postgres.tenants.usage import Amount, amounts
from monitoring.metrics.uploads import originals_stored
from schemas.documents import DEFAULT_PROFILE, DocumentFields

PLAIN_TEXT = "text/plain"

AnyCall = Call[Any, Any]


@dataclass(frozen=True, slots=True)
class Original:
    """A version's content as it came: an object that is stored already, or a text."""

    cell: str
    digest: bytes
    size_bytes: int
    media_type: str
    file_name: str | None = field(default=None, repr=False)
    stored_bytes: int = 0
    """Of the object."""
    key: bytes | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)


def of_text(text: str) -> Original:
    encoded = text.encode()
    return Original(str(uuid7()), sha256(encoded).digest(), len(encoded), PLAIN_TEXT, text=text)


class Originals:
    """The objects that one request writes. Those that it doesn't keep are deleted when it ends, however it ends.

    Nothing is deleted while it is in doubt whether the versions were committed. What stays then without an owner, and what a
    killed process leaves, is removed by the dispatcher's sweep.
    """

    def __init__(self, call: AnyCall) -> None:
        self._call = call
        self._places: list[str] = []
        self._in_doubt = False

    async def write(self, chunks: AsyncIterator[bytes], media_type: str, file_name: str | None) -> Original:
        """Stores the content. Raises a Refusal when it is empty or too large, and what the iterator raises."""
        cell, max_bytes = str(uuid7()), self._call.ingress.settings.max_upload_bytes
        place = document_place(self._call.tenant_id, cell)
        try:
            written = await self._call.ingress.originals.write(place, chunks, max_bytes=max_bytes)
        except TooLarge:
            raise problems.body_too_large(max_bytes) from None
        self._places.append(place)
        if not written.size_bytes:
            raise document_problems.empty_upload()
        return Original(
            cell, written.digest, written.size_bytes, media_type, file_name, written.stored_bytes, key=written.key
        )

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Around the transaction that accepts them: a commit that was cancelled or lost its server may have happened."""
        self._in_doubt = True
        try:
            yield
        except (QuotaExceeded, TenantSuspended):
            self._in_doubt = False
            raise
        self._in_doubt = False

    def keep(self, *originals: Original) -> None:
        kept = {document_place(self._call.tenant_id, one.cell) for one in originals}
        self._places = [place for place in self._places if place not in kept]
        originals_stored(sum(one.stored_bytes for one in originals))

    async def remove(self) -> None:
        if self._places and not self._in_doubt:
            await self._call.ingress.originals.delete(self._places)


@asynccontextmanager
async def originals(call: AnyCall) -> AsyncIterator[Originals]:
    written = Originals(call)
    try:
        yield written
    except BaseException:
        # Shielded: a request that is cancelled mustn't leave them either.
        await asyncio.shield(written.remove())
        raise
    await written.remove()


async def sealed(call: AnyCall, original: Original, fields: UploadFields, document_id: str | None) -> UploadedVersion:
    """The version to accept, its key or text sealed with the tenant's active key."""
    sealer, key, text = call.ingress.sealer, None, None
    if original.key is not None:
        key = await sealer.seal(original_key_cell(call.tenant_id, original.cell), original.key)
    if original.text is not None:
        text = await sealer.seal(text_cell(call.tenant_id, original.cell), original.text)
    return UploadedVersion(
        document_id=document_id,
        cell=original.cell,
        digest=original.digest,
        size_bytes=original.size_bytes,
        stored_bytes=original.stored_bytes + _size(key) + _size(text),
        media_type=original.media_type,
        file_name=original.file_name,
        original_key=key,
        text=text,
        fields=DocumentFields.model_construct(**{name: getattr(fields, name) for name in DocumentFields.model_fields}),
        profile=fields.profile or DEFAULT_PROFILE,
    )


def _size(sealed: Sealed | None) -> int:
    return 0 if sealed is None else len(sealed.ciphertext)


async def check_room(call: AnyCall, added_bytes: int | None) -> None:
    """Raises QuotaExceeded when the upload can't fit, before it is read. The transaction that accepts it counts exactly."""
    limits = await call.limits()
    if limits.stored_bytes is None:
        return
    used = (await call.db.run(amounts))[Amount.STORED_BYTES]
    if used + (added_bytes or 1) > limits.stored_bytes:
        raise QuotaExceeded(Amount.STORED_BYTES, used=used, limit=limits.stored_bytes)
