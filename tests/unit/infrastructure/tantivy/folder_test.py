"""One tenant's index on disk, shared by processes that write, read and die."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from tantivy import Index

from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexedDocument, IndexMissing
from infrastructure.tantivy.engine import TantivyEngine, folder_name
from infrastructure.tantivy.generations import changes
from infrastructure.tantivy.generations.write_lock import WriteLock
from schemas.search import AllTerms, SearchQuery
from tests.waiting import GUARD_SECONDS, wait_until

pytestmark = pytest.mark.anyio
TENANT = UUID(int=1)
ROOT = Path(__file__).parents[4]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TantivyEngine]:
    async with an_engine(tmp_path) as engine:
        await engine.rebuild(TENANT, _none())
        yield engine


def an_engine(home: Path, *, turn_seconds: float = 20.0, most_open: int = 64) -> TantivyEngine:
    async def holds_documents(tenant_id: UUID) -> bool:
        return True

    return TantivyEngine(home, holds_documents, turn_seconds=turn_seconds, most_open=most_open)


async def _none() -> AsyncIterator[Sequence[IndexedDocument]]:
    yield ()


def document(document_id: str, *, version: int = 1, body: str = "words") -> IndexedDocument:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return IndexedDocument(document_id, version, "Title", body, "contract", None, "en", (), when, when)


def files(home: Path, pattern: str) -> list[Path]:
    """These of all generations."""
    found = list((home / folder_name(TENANT)).glob(f"v*/{pattern}"))
    assert found, "there are such files"
    return found


async def total(engine: TantivyEngine) -> int:
    return (await engine.search(TENANT, SearchQuery(limit=0))).results.total


@contextmanager
def writing_process(home: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that indexes `name`-0, `name`-1 and so on, and prints each once it is acknowledged."""
    command = [sys.executable, "-u", "-c", WRITER, str(home), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from tests.unit.infrastructure.tantivy.folder_test import TENANT, an_engine, document

async def main():
    async with an_engine(Path(sys.argv[1])) as engine:
        for number in itertools.count():
            await engine.index(TENANT, document(f"{sys.argv[2]}-{number}"))
            print(number)

asyncio.run(main())
"""


def acknowledged(process: "subprocess.Popen[str]", number: int) -> int:
    """Returns once the process has acknowledged this many."""
    assert process.stdout is not None
    for _ in range(number):
        assert process.stdout.readline(), "the writer goes on"
    return number


async def test_many_documents_at_once_share_their_commits(
    engine: TantivyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []

    def counted(index: Index, batch: Sequence[changes.Change], sequence: int) -> None:
        commits.append(len(batch))
        commit(index, batch, sequence)

    commit = changes._commit
    monkeypatch.setattr(changes, "_commit", counted)
    await asyncio.gather(*(engine.index(TENANT, document(f"d{number}")) for number in range(300)))

    assert await total(engine) == sum(commits) == 300
    assert len(commits) < 30


async def test_a_reader_sees_another_processs_commit_at_once(engine: TantivyEngine, tmp_path: Path) -> None:
    assert await total(engine) == 0

    with writing_process(tmp_path, "theirs") as process:
        count = acknowledged(process, 3)
        assert await total(engine) >= count


async def test_what_was_acknowledged_outlives_a_killed_writer_and_the_next_one_writes_on(
    engine: TantivyEngine, tmp_path: Path
) -> None:
    for kill in range(3):
        with writing_process(tmp_path, f"kill-{kill}") as process:
            acknowledged(process, 4)
            process.send_signal(signal.SIGKILL)
            process.wait()
        await engine.index(TENANT, document(f"after-{kill}"))

    found = {
        hit.document_id
        for page in (0, 100)
        for hit in (await engine.search(TENANT, SearchQuery(limit=100, offset=page, highlight=False))).results.hits
    }
    assert {f"kill-{kill}-{number}" for kill in range(3) for number in range(4)} <= found
    assert {f"after-{kill}" for kill in range(3)} <= found


async def test_two_processes_that_write_at_once_take_turns(engine: TantivyEngine, tmp_path: Path) -> None:
    with writing_process(tmp_path, "one") as one, writing_process(tmp_path, "two") as two:
        acknowledged(one, 5)
        acknowledged(two, 5)
        await asyncio.gather(*(engine.index(TENANT, document(f"here-{number}")) for number in range(20)))
        acknowledged(one, 5)
        acknowledged(two, 5)

    assert await total(engine) >= 40


async def test_a_writer_waits_a_bounded_time_for_another(engine: TantivyEngine, tmp_path: Path) -> None:
    holder = WriteLock(tmp_path / folder_name(TENANT), wait_seconds=1)
    async with an_engine(tmp_path, turn_seconds=0.2) as impatient:
        async with holder.alone():
            with pytest.raises(Unavailable, match="written by others") as refused:
                await impatient.index(TENANT, document("a"))

        assert refused.value.retry_after_seconds is not None
        await impatient.index(TENANT, document("a"))


async def test_many_who_wait_for_their_turn_do_not_stop_the_one_who_has_it(engine: TantivyEngine) -> None:
    async def some_at_a_time() -> AsyncIterator[Sequence[IndexedDocument]]:
        for number in range(20):
            yield [document(f"d{number}")]

    async with asyncio.timeout(GUARD_SECONDS):
        await asyncio.gather(*(engine.rebuild(TENANT, some_at_a_time()) for _ in range(12)))

    assert await total(engine) == 20


async def test_searches_go_on_while_somebody_writes(engine: TantivyEngine, tmp_path: Path) -> None:
    await engine.index(TENANT, document("a"))
    holder = WriteLock(tmp_path / folder_name(TENANT), wait_seconds=1)

    async with holder.alone():
        assert await total(engine) == 1


async def test_a_damaged_index_is_told_and_can_be_rebuilt(engine: TantivyEngine, tmp_path: Path) -> None:
    await engine.index(TENANT, document("a"))
    for meta in files(tmp_path, "meta.json"):
        meta.write_text("{")

    async with an_engine(tmp_path) as other:
        for call in (other.search(TENANT, SearchQuery()), other.index(TENANT, document("b"))):
            with pytest.raises(Unavailable):
                await call

        await other.rebuild(TENANT, _some("a", "b"))
        assert await total(other) == 2
    assert await total(engine) == 2


@pytest.mark.parametrize("lost", ["meta.json", "*.store", "*.term", "*.idx"])
async def test_a_missing_file_is_told_and_ends_no_process(engine: TantivyEngine, tmp_path: Path, lost: str) -> None:
    await engine.index(TENANT, document("a"))
    for file in files(tmp_path, lost):
        file.unlink()

    async with an_engine(tmp_path) as other:
        with pytest.raises(Unavailable):
            await other.search(TENANT, SearchQuery(match=AllTerms(text="words")))


async def test_a_lost_index_is_told_from_one_that_never_was(engine: TantivyEngine, tmp_path: Path) -> None:
    await engine.index(TENANT, document("a"))
    (tmp_path / folder_name(TENANT) / "current").unlink()

    for call in (engine.search(TENANT, SearchQuery()), engine.index(TENANT, document("b"))):
        with pytest.raises(IndexMissing):
            await call


async def test_a_rebuild_replaces_the_index_under_its_readers(engine: TantivyEngine, tmp_path: Path) -> None:
    await engine.index(TENANT, document("old"))
    async with an_engine(tmp_path) as other:
        assert await total(other) == 1

        await engine.rebuild(TENANT, _some("a", "b", "c"))

        assert await total(other) == 3
    assert len(files(tmp_path, "meta.json")) == 1, "the replaced one is removed"


async def test_a_document_written_during_a_rebuild_is_kept(engine: TantivyEngine) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[Sequence[IndexedDocument]]:
        began.set()
        await go_on.wait()
        yield [document("old")]

    rebuild = asyncio.create_task(engine.rebuild(TENANT, slow()))
    await began.wait()
    written = asyncio.create_task(engine.index(TENANT, document("meanwhile")))
    go_on.set()
    await asyncio.gather(rebuild, written)

    assert await total(engine) == 2


async def test_a_cancelled_rebuild_leaves_the_right_to_write(engine: TantivyEngine, tmp_path: Path) -> None:
    began = asyncio.Event()

    async def endless() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("never")]
        began.set()
        await asyncio.Event().wait()

    rebuild = asyncio.create_task(engine.rebuild(TENANT, endless()))
    await began.wait()
    rebuild.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rebuild

    await engine.index(TENANT, document("a"))
    assert await total(engine) == 1
    assert len(files(tmp_path, "meta.json")) == 1


async def test_many_tenants_cost_no_more_threads_than_a_few(tmp_path: Path) -> None:
    tenants = [UUID(int=number) for number in range(24)]

    async with an_engine(tmp_path, most_open=4) as engine:
        for tenant_id in tenants[:6]:
            await engine.rebuild(tenant_id, _some("a"))
            assert (await engine.search(tenant_id, SearchQuery())).results.total == 1
        few = psutil.Process().num_threads()
        for tenant_id in tenants:
            await engine.rebuild(tenant_id, _some("a"))
            assert (await engine.search(tenant_id, SearchQuery())).results.total == 1
        wait_until(lambda: psutil.Process().num_threads() < few + 6, "the threads of 20 closed indexes end")


async def test_no_other_user_may_read_an_index(engine: TantivyEngine, tmp_path: Path) -> None:
    await engine.index(TENANT, document("a"))

    assert (tmp_path / folder_name(TENANT)).stat().st_mode & 0o077 == 0


async def _some(*names: str) -> AsyncIterator[Sequence[IndexedDocument]]:
    yield [document(name) for name in names]
