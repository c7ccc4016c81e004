"""What every object store promises of a stream: bounded memory, and all of it or nothing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.multipart_upload import PART_BYTES
from infrastructure.object_store.places import document_place
from infrastructure.object_store.s3 import S3ObjectStore
from infrastructure.ports import Unavailable
from infrastructure.ports.objects import ObjectStore
from tests.contracts.object_store.stores import UnderTest, address_of, failing, s3
from tests.small_disk import small_disk
from tests.system import ROOT

pytestmark = pytest.mark.anyio

PIECE = os.urandom(100_000)
PIECES = 2 * PART_BYTES // len(PIECE) + 5
"""More than two of S3's parts."""


class Gone(Exception):
    """The client that sends the stream went away."""


def _place() -> str:
    return document_place(uuid4(), str(uuid4()))


async def _pieces(count: int = PIECES) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield PIECE


async def _broken(after: int) -> AsyncIterator[bytes]:
    async for piece in _pieces(after):
        yield piece
    raise Gone


async def _endless(begun: asyncio.Event, after: int) -> AsyncIterator[bytes]:
    async for piece in _pieces(after):
        yield piece
    begun.set()
    await asyncio.Event().wait()


async def _read(objects: ObjectStore, key: str) -> bytes | None:
    content = await objects.read(key)
    return None if content is None else b"".join([part async for part in content])


@pytest.mark.parametrize("count", [0, 1, PIECES])
async def test_a_stream_is_one_object(under_test: UnderTest, count: int) -> None:
    place = _place()
    await under_test.store.put_stream(place, _pieces(count))

    assert await _read(under_test.store, place) == PIECE * count
    assert [one.key for one in await under_test.store.list_after("", 10)] == [place]
    assert under_test.leftovers() == []


async def test_a_stream_of_exactly_one_part_is_whole(under_test: UnderTest) -> None:
    async def part() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES)

    place = _place()
    await under_test.store.put_stream(place, part())

    assert await _read(under_test.store, place) == bytes(PART_BYTES)


@pytest.mark.parametrize("after", [0, 1, PIECES])
async def test_of_a_stream_that_breaks_nothing_is_kept(under_test: UnderTest, after: int) -> None:
    place = _place()
    with pytest.raises(Gone):
        await under_test.store.put_stream(place, _broken(after))

    assert await _read(under_test.store, place) is None
    assert under_test.leftovers() == []


@pytest.mark.parametrize("after", [0, 1, PIECES])
async def test_of_a_stream_that_is_given_up_nothing_is_kept(under_test: UnderTest, after: int) -> None:
    place, begun = _place(), asyncio.Event()
    writing = asyncio.create_task(under_test.store.put_stream(place, _endless(begun, after)))
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await _read(under_test.store, place) is None
    assert under_test.leftovers() == []


@pytest.mark.parametrize("count", [1, PIECES])
async def test_of_a_stream_that_is_given_up_when_all_of_it_was_sent_nothing_is_kept(
    under_test: UnderTest, count: int
) -> None:
    async def to_the_end() -> AsyncIterator[bytes]:
        async for piece in _pieces(count):
            yield piece
        # When the store has begun to wait for its last step.
        asyncio.get_running_loop().call_soon(writing.cancel)

    place = _place()
    writing = asyncio.create_task(under_test.store.put_stream(place, to_the_end()))
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await _read(under_test.store, place) is None
    assert under_test.leftovers() == []


async def test_a_stream_given_up_at_any_moment_is_whole_or_nothing(under_test: UnderTest) -> None:
    for turns in range(0, 400, 25):
        place = _place()
        writing = asyncio.create_task(under_test.store.put_stream(place, _pieces(60)))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        (outcome,) = await asyncio.gather(writing, return_exceptions=True)

        kept = await _read(under_test.store, place)
        assert kept == (PIECE * 60 if outcome is None else None)
    assert under_test.leftovers() == []


@pytest.mark.parametrize(
    "failed", ["PUT {}?partNumber=1", "PUT {}?partNumber=3", "POST {}?uploads", "POST {}?uploadId="]
)
async def test_an_upload_that_s3_fails_of_leaves_no_parts(tmp_path: Path, failed: str) -> None:
    place = _place()
    with s3(tmp_path) as under_test:
        with failing(under_test.endpoint, failed.format(f"/objects/jobs/{place}")) as endpoint:
            store = S3ObjectStore(address_of(endpoint))
            with pytest.raises(Unavailable):
                await store.put_stream(place, _pieces())

        assert await _read(under_test.store, place) is None
        assert under_test.leftovers() == []


async def test_a_disk_that_is_full_in_midstream_says_so_and_is_left_clean(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 5) as disk:
        store = FileStore(disk.folder / "objects")
        small = _place()
        await store.put_stream(small, _pieces(2))
        with pytest.raises(Unavailable, match="can't be written"):
            await store.put_stream(_place(), _pieces(100))

        assert [one.key for one in await store.list_after("", 10)] == [small]
        await store.put_stream(_place(), _pieces(30))


KILLED = """
import asyncio, sys
from pathlib import Path
from infrastructure.object_store.files import FileStore

async def forever():
    while True:
        yield bytes(100_000)
        print("sent", flush=True)

asyncio.run(FileStore(Path(sys.argv[1])).put_stream(sys.argv[2], forever()))
"""


async def test_what_a_killed_process_left_is_listed_and_can_be_deleted(tmp_path: Path) -> None:
    place, store = _place(), FileStore(tmp_path / "objects")
    await asyncio.to_thread(_write_and_be_killed, tmp_path / "objects", place)

    assert await _read(store, place) is None
    (left,) = await store.list_after("", 10)
    assert left.key.startswith(f"{place}.")
    await store.delete([left.key])
    assert await store.list_after("", 10) == []


def _write_and_be_killed(folder: Path, place: str) -> None:
    command = [sys.executable, "-c", KILLED, str(folder), place]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()


async def test_an_object_that_is_erased_while_it_is_written_doesnt_come_back(tmp_path: Path) -> None:
    place, begun, erased = _place(), asyncio.Event(), asyncio.Event()
    store = FileStore(tmp_path / "objects")

    async def slowly() -> AsyncIterator[bytes]:
        yield PIECE
        begun.set()
        await erased.wait()

    writing = asyncio.create_task(store.put_stream(place, slowly()))
    await begun.wait()
    await store.delete([one.key for one in await store.list_after("", 10)])
    erased.set()
    with pytest.raises(Unavailable):
        await writing

    assert await store.list_after("", 10) == []


MEASURED = """
import asyncio, os, sys
from pathlib import Path
from infrastructure.object_store.files import FileStore
from infrastructure.object_store.s3 import S3ObjectStore
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.object_store.places import document_place
from tests.contracts.object_store.stores import address_of
from uuid import uuid4

where, uploads, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
objects = SealedObjects(S3ObjectStore(address_of(where)) if where.startswith("http") else FileStore(Path(where)))

async def chunks(count):
    for _ in range(count):
        yield bytes(50_000)

async def write(megabytes):
    place = document_place(uuid4(), str(uuid4()))
    return await objects.write(place, chunks(megabytes * 20), max_bytes=10**9)

def peak_kilobytes():
    # Not ru_maxrss, which begins with what the process had that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

async def main():
    await asyncio.gather(*(write(1) for _ in range(uploads)))
    before = peak_kilobytes()
    written = await asyncio.gather(*(write(megabytes) for _ in range(uploads)))
    assert all(one.size_bytes == megabytes * 1_000_000 for one in written)
    print(peak_kilobytes() - before, flush=True)
    # The threads of obstore's library may abort a process whose interpreter is being taken down.
    os._exit(0)

asyncio.run(main())
"""


def _grown_megabytes(where: str, uploads: int, megabytes: int) -> float:
    command = [sys.executable, "-c", MEASURED, where, str(uploads), str(megabytes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1_000


def test_memory_stays_flat_while_many_long_streams_come_in_at_once(tmp_path: Path) -> None:
    assert _grown_megabytes(str(tmp_path / "objects"), uploads=20, megabytes=20) < 40


def test_a_stream_to_s3_holds_few_parts_in_memory(tmp_path: Path) -> None:
    with s3(tmp_path) as under_test:
        assert _grown_megabytes(under_test.endpoint, uploads=2, megabytes=100) < 2 * 30
