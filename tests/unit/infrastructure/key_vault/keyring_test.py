"""The keyring: cached keys cost nothing, others are fetched once, and a stale active key is never used."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from infrastructure.key_vault.keyring import Keyring, StoredKey, make_key
from infrastructure.key_vault.sealed import Cell, DecryptionFailed
from infrastructure.key_vault.sealing import key_id_of
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import WrappedKey

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class PlainVault:
    """Wraps nothing, and counts what it is asked."""

    unwrapped: int = 0
    broken: bool = False

    async def wrap(self, key: bytes) -> WrappedKey:
        return WrappedKey("plain", key)

    async def unwrap(self, wrapped: WrappedKey) -> bytes:
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("the vault is away")
        self.unwrapped += 1
        return wrapped.ciphertext


@dataclass
class KeysInMemory:
    keys: list[StoredKey] = field(default_factory=list)
    questions: int = 0

    async def active(self, tenant_id: UUID) -> StoredKey | None:
        self.questions += 1
        await asyncio.sleep(0)
        return next((key for key in reversed(self.keys) if key.tenant_id == tenant_id), None)

    async def find(self, tenant_id: UUID, key_id: int) -> StoredKey | None:
        self.questions += 1
        await asyncio.sleep(0)
        return next((key for key in self.keys if (key.tenant_id, key.id) == (tenant_id, key_id)), None)

    async def add_first(self, tenant_id: UUID, wrapped: WrappedKey) -> None:
        if await self.active(tenant_id) is None:
            self.add(tenant_id, wrapped)

    def add(self, tenant_id: UUID, wrapped: WrappedKey) -> None:
        self.keys.append(StoredKey(len(self.keys) + 1, tenant_id, wrapped))


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


CELL = Cell(uuid4(), "documents", "body", "a")


@pytest.fixture
def vault() -> PlainVault:
    return PlainVault()


@pytest.fixture
def store() -> KeysInMemory:
    return KeysInMemory()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(store: KeysInMemory, vault: PlainVault, clock: Clock) -> Keyring:
    return Keyring(store, vault, active_seconds=2.0, clock=clock)


async def test_a_tenants_first_seal_makes_its_first_key(keyring: Keyring, store: KeysInMemory) -> None:
    sealed = await keyring.seal(CELL, "text")

    assert await keyring.open(CELL, sealed) == "text"
    assert len(store.keys) == 1


async def test_bytes_are_sealed_as_bytes(keyring: Keyring) -> None:
    sealed = await keyring.seal(CELL, b"\xff\x00")

    assert await keyring.open_bytes(CELL, sealed) == b"\xff\x00"
    with pytest.raises(DecryptionFailed):
        await keyring.open(CELL, sealed)


async def test_text_and_bytes_move_to_another_key_and_stay_what_they_are(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault
) -> None:
    text, some_bytes = await keyring.seal(CELL, "text"), await keyring.seal(CELL, b"bytes")
    store.add(CELL.tenant_id, await make_key(vault))
    moved = [await keyring.reseal(2, CELL, sealed) for sealed in (text, some_bytes)]

    assert [key_id_of(sealed.ciphertext) for sealed in moved] == [2, 2]
    assert await keyring.open(CELL, moved[0]) == "text"
    assert await keyring.open_bytes(CELL, moved[1]) == b"bytes"
    with pytest.raises(DecryptionFailed):
        await keyring.reseal(2, replace(CELL, row="b"), text)


async def test_a_hundred_cold_callers_cost_one_question_and_one_unwrapping(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault
) -> None:
    store.add(CELL.tenant_id, await make_key(vault))
    vault.unwrapped = 0

    await asyncio.gather(*(keyring.seal(CELL, "text") for _ in range(100)))

    assert (store.questions, vault.unwrapped) == (1, 1)


async def test_a_warm_key_asks_nobody(keyring: Keyring, store: KeysInMemory, vault: PlainVault) -> None:
    sealed = await keyring.seal(CELL, "text")
    asked = (store.questions, vault.unwrapped)
    vault.broken = True

    for _ in range(10):
        await keyring.open(CELL, sealed)
        await keyring.seal(CELL, "text")

    assert (store.questions, vault.unwrapped) == asked


async def test_another_active_key_is_used_at_the_latest_when_the_old_answer_is_too_old(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault, clock: Clock
) -> None:
    await keyring.seal(CELL, "text")
    store.add(CELL.tenant_id, await make_key(vault))

    clock.now = 1.9
    assert key_id_of((await keyring.seal(CELL, "text")).ciphertext) == 1
    clock.now = 2.0
    assert key_id_of((await keyring.seal(CELL, "text")).ciphertext) == 2


async def test_a_forgotten_answer_is_asked_for_at_once(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault
) -> None:
    await keyring.seal(CELL, "text")
    store.add(CELL.tenant_id, await make_key(vault))

    keyring.forget_active(CELL.tenant_id)

    assert key_id_of((await keyring.seal(CELL, "text")).ciphertext) == 2


async def test_an_answer_that_came_too_slowly_is_never_used(store: KeysInMemory, vault: PlainVault) -> None:
    ticks = iter(range(0, 1_000, 5))
    slow = Keyring(store, vault, active_seconds=2.0, clock=lambda: float(next(ticks)))

    with pytest.raises(Unavailable, match="takes longer to learn"):
        await slow.seal(CELL, "text")


async def test_a_value_under_an_older_key_still_opens(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault, clock: Clock
) -> None:
    sealed = await keyring.seal(CELL, "text")
    store.add(CELL.tenant_id, await make_key(vault))
    clock.now = 10.0
    await keyring.seal(CELL, "other")

    assert await keyring.open(CELL, sealed) == "text"


async def test_a_key_of_another_tenant_opens_nothing(keyring: Keyring) -> None:
    sealed = await keyring.seal(CELL, "text")
    theirs = Cell(uuid4(), CELL.table, CELL.column, CELL.row)

    with pytest.raises(DecryptionFailed):
        await keyring.open(theirs, sealed)


async def test_a_vault_that_is_away_is_no_failed_decryption_and_is_asked_again(
    keyring: Keyring, store: KeysInMemory, vault: PlainVault, clock: Clock
) -> None:
    sealed = await keyring.seal(CELL, "text")
    fresh = Keyring(store, vault, active_seconds=2.0, clock=clock)
    vault.broken = True
    with pytest.raises(Unavailable):
        await fresh.open(CELL, sealed)

    vault.broken = False

    assert await fresh.open(CELL, sealed) == "text"


async def test_a_cancelled_caller_does_not_take_the_key_from_the_others(keyring: Keyring) -> None:
    first = asyncio.create_task(keyring.seal(CELL, "text"))
    second = asyncio.create_task(keyring.seal(CELL, "text"))
    await asyncio.sleep(0)
    first.cancel()

    sealed = await second

    assert await keyring.open(CELL, sealed) == "text"


async def test_a_warm_seal_and_open_cost_at_most_three_times_their_bare_cryptography(keyring: Keyring) -> None:
    text = "x" * 1_024
    await keyring.seal(CELL, text)
    key = os.urandom(32)

    async def ours() -> None:
        await keyring.open(CELL, await keyring.seal(CELL, text))

    async def bare() -> None:
        for _ in range(2):
            derived = HKDFExpand(hashes.SHA512(), 64, os.urandom(24)).derive(key)
        message = AESGCM(derived[:32]).encrypt(bytes(12), text.encode(), b"")
        AESGCM(derived[:32]).decrypt(bytes(12), message, b"").decode()

    async def seconds(work: Callable[[], Awaitable[None]]) -> float:
        began = time.process_time()
        for _ in range(300):
            await work()
        return time.process_time() - began

    rounds = [(await seconds(ours), await seconds(bare)) for _ in range(9)]
    ratio = min(one for one, _ in rounds) / min(other for _, other in rounds)
    assert ratio <= 3.0, f"it costs {ratio:.1f} times as much"
