"""Protocols of sealing cells and rotating tenants' keys."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from infrastructure.key_vault.sealed import Cell, Sealed


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key that only the vault can read."""

    master_key_id: str
    """Names the vault's key and its version in full, never "the latest"."""
    ciphertext: bytes = field(repr=False)


class KeyVault(Protocol):
    """Holds the master key, which never leaves it."""

    async def wrap(self, key: bytes) -> WrappedKey:
        """The key, wrapped by the newest master key. Unwrap it back before you rely on it: a vault may wrap with a key
        that it no longer unwraps with. Unavailable when the vault can't answer."""
        ...

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        """The key. Unavailable when the vault can't answer or doesn't have the master key."""
        ...


class Sealer(Protocol):
    """Seals and opens single cells with the tenant's keys."""

    async def seal(self, cell: Cell, plaintext: str | bytes) -> Sealed:
        """The text, or the bytes, under the tenant's active key, which is made at the tenant's first seal."""
        ...

    async def open(self, cell: Cell, sealed: Sealed) -> str:
        """The text, or DecryptionFailed, for sealed bytes too; Unavailable when its key can't be fetched now."""
        ...

    async def open_bytes(self, cell: Cell, sealed: Sealed) -> bytes:
        """The bytes, or DecryptionFailed, for a sealed text too; Unavailable when its key can't be fetched now."""
        ...

    def forget_active(self, tenant_id: UUID) -> None:
        """Drops the cached active key, which has proved stale: the next seal reads it again."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation of a tenant's key and its progress."""

    job_id: UUID
    key_id: int
    new_version: int
    old_version: int | None
    cursor: str
    rows_reencrypted: int
    conflicts: int
    finished: bool


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed cell of a row: a row with several counts as so many."""

    column: str
    """Where it is stored; its cell may be called otherwise."""
    cell: Cell
    sealed: Sealed


class RotationSession(Protocol):
    """Exclusive access to rotate one tenant's key, while the session is open."""

    async def unfinished(self) -> Rotation | None: ...

    async def of_job(self, job_id: UUID) -> Rotation | None: ...

    async def begin(self, job_id: UUID, key: WrappedKey) -> Rotation:
        """Makes the key the tenant's active one. When this returns, no row is written under an older key any more."""
        ...

    async def left_over(self, rotation: Rotation) -> int:
        """How many rows are not under the new key."""
        ...

    async def next_rows(self, rotation: Rotation) -> Sequence[SealedRow]:
        """Rows after the cursor that are not under the new key; bounded in number and bytes, all of one column, none at the
        end."""
        ...

    async def replace(self, rotation: Rotation, old: Sequence[SealedRow], new: Sequence[SealedRow]) -> Rotation:
        """Replaces each old row by its new one unless it was rewritten meanwhile, and moves the cursor, in one
        transaction. Both in the order of `next_rows`; `new` may lack rows."""
        ...

    async def start_over(self, rotation: Rotation) -> Rotation:
        """Puts the cursor back to the first row."""
        ...

    async def finish(self, rotation: Rotation) -> Rotation:
        """Retires the older keys."""
        ...


class Rotations(Protocol):
    def alone(self, tenant_id: UUID) -> AbstractAsyncContextManager[RotationSession]:
        """Opens a session; waits a bounded time for another rotation of the tenant, then raises Unavailable. A process
        that dies releases it at once."""
        ...


class Resealer(Protocol):
    """Moves cells from one key to another."""

    async def reseal(self, key_id: int, cell: Cell, sealed: Sealed) -> Sealed:
        """What is sealed, text or bytes, under this key of the tenant's, whether it is active or not. DecryptionFailed when
        it can't be opened; Unavailable when a key can't be fetched now."""
        ...
