"""The place that a cursor of a search goes on from, signed for its tenant and its query."""

from typing import NamedTuple
from uuid import UUID

from infrastructure.ports.searching import SignsCursors

_LENGTH_BYTES = 2


class Place(NamedTuple):
    after: bytes
    """An engine's own."""
    corrected: str | None
    """The text whose hits the pages are of, where it isn't the one that is sent."""


def sign_place(signer: SignsCursors, tenant_id: UUID, query: bytes, place: Place) -> str:
    corrected = (place.corrected or "").encode()
    return signer.sign_bytes(tenant_id, _scope(query), len(corrected).to_bytes(_LENGTH_BYTES) + corrected + place.after)


def read_place(signer: SignsCursors, tenant_id: UUID, query: bytes, cursor: str) -> Place:
    """Raises the signer's refusal for a cursor of another tenant or query, and for one that was changed."""
    signed = signer.read_bytes(tenant_id, _scope(query), cursor)
    end = _LENGTH_BYTES + int.from_bytes(signed[:_LENGTH_BYTES])
    return Place(signed[end:], signed[_LENGTH_BYTES:end].decode() or None)


def _scope(query: bytes) -> str:
    return f"search {query.hex()}"
