"""Generations of an index, replaced while other processes write them or die."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, RebuildDiffers
from infrastructure.tantivy.engine import TantivyEngine, folder_name
from infrastructure.tantivy.generations import rebuild as rebuilding
from schemas.search import SearchQuery
from tests.unit.infrastructure.tantivy.folder_test import (
    ROOT,
    TENANT,
    acknowledged,
    an_engine,
    document,
    total,
    writing_process,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TantivyEngine]:
    async with an_engine(tmp_path) as engine:
        await engine.rebuild(TENANT, batches())
        yield engine


async def batches(*documents: IndexedDocument) -> AsyncIterator[Sequence[IndexedDocument]]:
    yield documents


async def names(engine: TantivyEngine) -> set[str]:
    query = SearchQuery(limit=100, highlight=False)
    page = await engine.search(TENANT, query)
    found = {hit.document_id for hit in page.results.hits}
    while page.after is not None:
        page = await engine.search(TENANT, query, after=page.after)
        found |= {hit.document_id for hit in page.results.hits}
    return found


def generations(home: Path) -> int:
    return len(list((home / folder_name(TENANT)).glob("v*-*")))


async def test_nothing_that_another_process_writes_meanwhile_is_lost_on_the_way_there_and_back(
    engine: TantivyEngine, tmp_path: Path
) -> None:
    with writing_process(tmp_path, "theirs") as process:
        written = acknowledged(process, 2)
        for _ in range(3):

            async def source() -> AsyncIterator[Sequence[IndexedDocument]]:
                nonlocal written
                yield [document(name) for name in await names(engine)]
                written += acknowledged(process, 3)

            await engine.rebuild(TENANT, source())
            written += acknowledged(process, 2)
            assert {f"theirs-{number}" for number in range(written)} <= await names(engine)
        await engine.roll_back(TENANT)
        written += acknowledged(process, 2)

    assert {f"theirs-{number}" for number in range(written)} <= await names(engine)


async def test_a_rebuild_whose_process_was_killed_is_cleaned_up_by_the_next_one(
    engine: TantivyEngine, tmp_path: Path
) -> None:
    await engine.index(TENANT, document("a"))
    with rebuilding_process(tmp_path) as process:
        acknowledged(process, 1)
        process.send_signal(signal.SIGKILL)
    assert generations(tmp_path) == 2

    assert await total(engine) == 1
    await engine.index(TENANT, document("b"))
    await engine.rebuild(TENANT, batches(document("a"), document("b")))

    assert await names(engine) == {"a", "b"}
    assert generations(tmp_path) == 2


@contextmanager
def rebuilding_process(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, in a rebuild that it says to be half done and never ends."""
    command = [sys.executable, "-u", "-c", REBUILDER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


REBUILDER = """
import asyncio, sys
from pathlib import Path
from tests.unit.infrastructure.tantivy.folder_test import TENANT, an_engine, document

async def endless():
    yield [document("never")]
    print("half")
    await asyncio.Event().wait()

async def main():
    async with an_engine(Path(sys.argv[1])) as engine:
        await engine.rebuild(TENANT, endless())

asyncio.run(main())
"""


async def test_a_switch_that_stopped_half_way_leaves_the_old_generation_and_no_way_back_to_itself(
    engine: TantivyEngine, tmp_path: Path
) -> None:
    await engine.index(TENANT, document("a"))
    folder = tmp_path / folder_name(TENANT)
    (folder / "previous").symlink_to((folder / "current").readlink())

    assert await engine.roll_back(TENANT) is None
    assert len(await engine.states(TENANT)) == 1
    assert await names(engine) == {"a"}


async def test_documents_that_an_index_dropped_are_noticed(
    engine: TantivyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.index(TENANT, document("a"))
    monkeypatch.setattr(rebuilding, "key_of", lambda _: 1)

    with pytest.raises(RebuildDiffers, match="of 1 documents the rebuilt index lacks 1 and has 2"):
        await engine.rebuild(TENANT, batches(document("b"), document("c")))

    assert await names(engine) == {"a"}


async def test_a_second_rebuild_waits_a_bounded_time_for_the_first(engine: TantivyEngine, tmp_path: Path) -> None:
    half, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[Sequence[IndexedDocument]]:
        half.set()
        await go_on.wait()
        yield [document("a")]

    first = asyncio.ensure_future(engine.rebuild(TENANT, slow()))
    await half.wait()
    async with an_engine(tmp_path, turn_seconds=0.2) as impatient:
        with pytest.raises(Unavailable):
            await impatient.rebuild(TENANT, batches())
        await impatient.index(TENANT, document("b"))
    go_on.set()
    await first

    assert await names(engine) == {"a", "b"}
