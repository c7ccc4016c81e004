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
    is_wide: bool = False
    """Whether they are also of documents with some of the words."""


def sign_place(signer: SignsCursors, tenant_id: UUID, query: bytes, place: Place) -> str:
    corrected = (place.corrected or "").encode()
    head = bytes([place.is_wide]) + len(corrected).to_bytes(_LENGTH_BYTES)
    return signer.sign_bytes(tenant_id, _scope(query), head + corrected + place.after)


def read_place(signer: SignsCursors, tenant_id: UUID, query: bytes, cursor: str) -> Place:
    """Raises the signer's refusal for a cursor of another tenant or query, and for one that was changed."""
    signed = signer.read_bytes(tenant_id, _scope(query), cursor)
    begin = 1 + _LENGTH_BYTES
    end = begin + int.from_bytes(signed[1:begin])
    return Place(signed[end:], signed[begin:end].decode() or None, is_wide=signed[:1] == b"\x01")


def _scope(query: bytes) -> str:
    return f"search {query.hex()}"
