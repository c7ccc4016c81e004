"""A sealed object comes back as it was written, whole or in part, and not at all when it isn't as it was written."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.key_vault.sealed_stream import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES
from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import document_place
from infrastructure.object_store.sealed import SealedObjects, WrittenObject
from infrastructure.ports.objects import TooLarge

pytestmark = pytest.mark.anyio

CONTENT = os.urandom(3 * CHUNK_BYTES + 1_000)
NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, and the folder where a thief finds its file."""

    objects: SealedObjects
    folder: Path
    place: str
    written: WrittenObject

    @property
    def file(self) -> Path:
        return self.folder / self.place

    async def read(self, start: int = 0, end: int | None = None) -> bytes | None:
        found = await self.objects.read(
            self.place, self.written.key, size_bytes=self.written.size_bytes, start=start, end=end
        )
        return None if found is None else b"".join([part async for part in found])


async def _chunks(content: bytes, sizes: Sequence[int] = (10_000,)) -> AsyncIterator[bytes]:
    at = turn = 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        yield content[at : at + size]
        at, turn = at + size, turn + 1


async def _stored(folder: Path, content: bytes, sizes: Sequence[int] = (10_000,)) -> Stored:
    objects, place = SealedObjects(FileStore(folder)), document_place(uuid4(), str(uuid4()))
    return Stored(objects, folder, place, await objects.write(place, _chunks(content, sizes), max_bytes=NO_LIMIT))


@pytest.fixture
async def stored(tmp_path: Path) -> Stored:
    return await _stored(tmp_path, CONTENT)


async def test_what_was_written_is_counted_and_hashed_and_comes_back(stored: Stored) -> None:
    written = stored.written

    assert (written.size_bytes, written.digest) == (len(CONTENT), sha256(CONTENT).digest())
    assert written.stored_bytes == stored.file.stat().st_size
    assert await stored.read() == CONTENT
    await stored.objects.delete([stored.place])
    assert await stored.read() is None


@given(
    size=st.integers(0, 3).flatmap(lambda chunks: st.integers(-2, 2).map(lambda more: chunks * CHUNK_BYTES + more)),
    sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=5),
    data=st.data(),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_range_of_any_size_comes_back_however_it_came_in(
    tmp_path: Path, size: int, sizes: list[int], data: st.DataObject
) -> None:
    content = CONTENT[: max(size, 0)]
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.none() | st.integers(start, len(content) + 5))

    async def there_and_back() -> bytes | None:
        stored = await _stored(tmp_path, content, [max(one, len(content) // 50) for one in sizes])
        return await stored.read(start, end)

    assert asyncio.run(there_and_back()) == content[start:end]


async def test_the_store_sees_no_word_of_it_and_no_two_objects_alike(tmp_path: Path) -> None:
    one, other = [await _stored(tmp_path, b"Zyzzyva4711" * 9_000) for _ in range(2)]

    assert b"Zyzzyva" not in one.file.read_bytes()
    assert one.file.read_bytes()[HEADER_BYTES:] != other.file.read_bytes()[HEADER_BYTES:]
    assert one.written.key.hex() not in repr(one.written)
    assert repr(one.written.key) not in repr(one.written)


async def test_more_than_may_come_is_refused_on_the_way_and_nothing_is_kept(tmp_path: Path) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(1_000)

    with pytest.raises(TooLarge) as refused:
        await SealedObjects(FileStore(tmp_path)).write(
            document_place(uuid4(), str(uuid4())), endless(), max_bytes=200_000
        )

    assert refused.value.max_bytes == 200_000
    assert asked == 201
    assert await FileStore(tmp_path).list_after("", 1) == []


async def test_exactly_as_much_as_may_come_is_taken(tmp_path: Path) -> None:
    objects, place = SealedObjects(FileStore(tmp_path)), document_place(uuid4(), str(uuid4()))

    assert (await objects.write(place, _chunks(bytes(70_000)), max_bytes=70_000)).size_bytes == 70_000


def _swapped(sealed: bytes) -> bytes:
    first, second = (sealed[HEADER_BYTES + at * SEALED_CHUNK_BYTES :][:SEALED_CHUNK_BYTES] for at in (0, 1))
    return sealed[:HEADER_BYTES] + second + first + sealed[HEADER_BYTES + 2 * SEALED_CHUNK_BYTES :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"x",
        lambda sealed: sealed[: HEADER_BYTES + 2 * SEALED_CHUNK_BYTES],
        lambda sealed: sealed[:HEADER_BYTES],
        lambda sealed: sealed[:10],
        lambda sealed: b"",
        lambda sealed: sealed[: HEADER_BYTES + SEALED_CHUNK_BYTES] + sealed[HEADER_BYTES + 2 * SEALED_CHUNK_BYTES :],
        _swapped,
        lambda sealed: sealed[:70_000] + b"x" + sealed[70_001:],
        lambda sealed: sealed + sealed[HEADER_BYTES:],
    ],
)
async def test_an_object_that_isnt_as_it_was_written_doesnt_open(
    stored: Stored, damage: Callable[[bytes], bytes]
) -> None:
    stored.file.write_bytes(damage(stored.file.read_bytes()))

    with pytest.raises(DecryptionFailed):
        await stored.read()


async def test_nothing_behind_a_last_chunk_that_is_full_goes_unnoticed(tmp_path: Path) -> None:
    stored = await _stored(tmp_path, CONTENT[: 2 * CHUNK_BYTES])
    stored.file.write_bytes(stored.file.read_bytes() + b"x")

    with pytest.raises(DecryptionFailed):
        await stored.read()
    with pytest.raises(DecryptionFailed):
        await stored.read(CHUNK_BYTES, CHUNK_BYTES + 1)
    assert await stored.read(5, 9) == CONTENT[5:9]


async def test_a_range_needs_no_more_than_its_own_chunks(stored: Stored) -> None:
    sealed = stored.file.read_bytes()
    stored.file.write_bytes(_swapped(sealed))

    last = 2 * CHUNK_BYTES
    assert await stored.read(last, last + 10) == CONTENT[last : last + 10]
    with pytest.raises(DecryptionFailed):
        await stored.read(CHUNK_BYTES, CHUNK_BYTES + 1)


async def test_an_object_opens_at_its_own_place_and_with_its_own_key_and_size_only(stored: Stored) -> None:
    other = await _stored(stored.folder, CONTENT)
    stored.file.write_bytes(other.file.read_bytes())
    with pytest.raises(DecryptionFailed):
        await stored.read()
    moved = Stored(stored.objects, stored.folder, stored.place, other.written)
    with pytest.raises(DecryptionFailed):
        await moved.read()
    for wrong in (len(CONTENT) - 1, len(CONTENT) + 1, len(CONTENT) + CHUNK_BYTES, 3 * CHUNK_BYTES, 0):
        found = await other.objects.read(other.place, other.written.key, size_bytes=wrong)
        assert found is not None
        with pytest.raises(DecryptionFailed):
            assert [part async for part in found]


async def test_a_range_outside_of_the_object_is_refused(stored: Stored) -> None:
    for start, end in ((-1, None), (5, 4), (len(CONTENT) + 1, None)):
        with pytest.raises(ValueError, match="no range"):
            await stored.read(start, end)
