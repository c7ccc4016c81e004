"""A process's cache of tenants' keys; concurrent callers share one fetch."""

import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from infrastructure.concurrency.shared_fetches import SharedFetches
from infrastructure.key_vault.sealed import Cell, DecryptionFailed, Sealed
from infrastructure.key_vault.sealing import (
    KEY_BYTES,
    TenantKeyMaterial,
    key_id_of,
    open_bytes,
    open_text,
    reseal,
    seal,
)
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import KeyVault, WrappedKey

MAX_KEYS = 10_000
MAX_FETCHES = 3
STALE_SECONDS = 30.0
"""How much longer than `active_seconds` a key seals what nobody stores: a rotation needn't wait for that."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A tenant's key as it is stored."""

    id: int
    tenant_id: UUID
    wrapped: WrappedKey


class KeyStore(Protocol):
    """Stores the wrapped keys."""

    async def active(self, tenant_id: UUID) -> StoredKey | None: ...

    async def find(self, tenant_id: UUID, key_id: int) -> StoredKey | None:
        """None when this tenant has no such key."""
        ...

    async def add_first(self, tenant_id: UUID, wrapped: WrappedKey) -> None:
        """Makes it the tenant's active key unless the tenant has one already."""
        ...


async def make_key(vault: KeyVault) -> WrappedKey:
    """A new wrapped key, after unwrapping it once to check that the vault can."""
    key = os.urandom(KEY_BYTES)
    wrapped = await vault.wrap(key)
    if not hmac.compare_digest(await vault.unwrap(wrapped), key):
        raise Unavailable(f"the vault gave back another key than it was given; look at {wrapped.master_key_id}")
    return wrapped


class Keyring:
    """A Sealer. Caches which key is active for at most `active_seconds`; an unwrapped key is kept, since it never
    changes."""

    def __init__(
        self, store: KeyStore, vault: KeyVault, *, active_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._vault = vault
        self._active_seconds = active_seconds
        self._clock = clock
        self._active: OrderedDict[UUID, tuple[int, float]] = OrderedDict()
        self._keys: OrderedDict[tuple[UUID, int], TenantKeyMaterial] = OrderedDict()
        self._fetches: SharedFetches[UUID | tuple[UUID, int]] = SharedFetches()

    async def seal(self, cell: Cell, plaintext: str | bytes) -> Sealed:
        return Sealed(seal(await self._active_key(cell.tenant_id), cell, plaintext))

    async def open(self, cell: Cell, sealed: Sealed) -> str:
        return open_text(await self._key_of(cell, sealed), cell, sealed.ciphertext)

    async def open_bytes(self, cell: Cell, sealed: Sealed) -> bytes:
        return open_bytes(await self._key_of(cell, sealed), cell, sealed.ciphertext)

    async def reseal(self, key_id: int, cell: Cell, sealed: Sealed) -> Sealed:
        old, new = await self._key_of(cell, sealed), await self._key(cell.tenant_id, key_id)
        return Sealed(reseal(old, new, cell, sealed.ciphertext))

    def seal_at_once(self, cell: Cell, plaintext: bytes) -> Sealed | None:
        """`seal` without waiting, for what is read at once and never stored: under a key that was active STALE_SECONDS ago at
        the earliest. None when `prepare` must fetch it first."""
        active = self._active.get(cell.tenant_id)
        if active is None or self._clock() >= active[1] + STALE_SECONDS:
            return None
        key = self._keys.get((cell.tenant_id, active[0]))
        return None if key is None else Sealed(seal(key, cell, plaintext))

    def knows_active(self, tenant_id: UUID) -> bool:
        """Whether the tenant's active key is known and new enough for `seal`."""
        active = self._active.get(tenant_id)
        return active is not None and self._clock() < active[1]

    async def prepare(self, tenant_id: UUID) -> None:
        """Fetches the tenant's active key for `seal_at_once`. Unavailable when that can't be done now."""
        await self._active_key(tenant_id)

    async def learn(self, tenant_id: UUID) -> bool:
        """Fetches the tenant's active key, so that `open_at_once` opens what is sealed from now on. False when it has none
        yet; Unavailable when that can't be known now."""
        stored = await self._store.active(tenant_id)
        if stored is None:
            return False
        await self._learn(stored)
        return True

    def open_at_once(self, cell: Cell, sealed: Sealed) -> bytes | None:
        """`open_bytes` without waiting; None when its key must be fetched first, as `open_bytes` does."""
        key = self._keys.get((cell.tenant_id, key_id_of(sealed.ciphertext)))
        return None if key is None else open_bytes(key, cell, sealed.ciphertext)

    def forget_active(self, tenant_id: UUID) -> None:
        self._active.pop(tenant_id, None)

    async def _active_key(self, tenant_id: UUID) -> TenantKeyMaterial:
        for _ in range(MAX_FETCHES):
            known = self._active.get(tenant_id)
            if known is None or self._clock() >= known[1]:
                known = await self._fetches.get(tenant_id, lambda: self._fetch_active(tenant_id))
            key = await self._key(tenant_id, known[0])
            if self._clock() < known[1]:
                return key
        raise Unavailable(
            f"which key is active takes longer to learn than it may be believed: {self._active_seconds} s"
        )

    async def _fetch_active(self, tenant_id: UUID) -> tuple[int, float]:
        # Counted from before the question, so that an answer that was long under way is old when it comes.
        expires_at = self._clock() + self._active_seconds
        stored = await self._store.active(tenant_id)
        if stored is None:
            await self._store.add_first(tenant_id, await make_key(self._vault))
            expires_at = self._clock() + self._active_seconds
            stored = await self._store.active(tenant_id)
        if stored is None:
            raise Unavailable("a tenant's first key was stored and is gone again; look at the table tenant_keys")
        known = (stored.id, expires_at)
        _keep(self._active, tenant_id, known)
        await self._learn(stored)
        return known

    async def _key_of(self, cell: Cell, sealed: Sealed) -> TenantKeyMaterial:
        return await self._key(cell.tenant_id, key_id_of(sealed.ciphertext))

    async def _key(self, tenant_id: UUID, key_id: int) -> TenantKeyMaterial:
        key = self._keys.get((tenant_id, key_id))
        if key is None:
            return await self._fetches.get((tenant_id, key_id), lambda: self._fetch_key(tenant_id, key_id))
        return key

    async def _fetch_key(self, tenant_id: UUID, key_id: int) -> TenantKeyMaterial:
        stored = await self._store.find(tenant_id, key_id)
        if stored is None:
            raise DecryptionFailed
        return await self._learn(stored)

    async def _learn(self, stored: StoredKey) -> TenantKeyMaterial:
        place = (stored.tenant_id, stored.id)
        if place not in self._keys:
            key = TenantKeyMaterial(stored.id, stored.tenant_id, await self._vault.unwrap(stored.wrapped))
            _keep(self._keys, place, key)
        return self._keys[place]


Name = TypeVar("Name")
Kept = TypeVar("Kept")


def _keep(cache: "OrderedDict[Name, Kept]", name: Name, value: Kept) -> None:
    cache[name] = value
    cache.move_to_end(name)
    if len(cache) > MAX_KEYS:
        cache.popitem(last=False)
