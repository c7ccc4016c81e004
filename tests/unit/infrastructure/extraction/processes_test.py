"""The processes that read documents: they belong to one tenant, they can be killed and cancelled, and nothing of them is left."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from infrastructure.extraction.extractor import ChildExtractor, ReaderKilled
from infrastructure.ports import Unavailable
from infrastructure.ports.extraction import Extracted, Reason
from infrastructure.wiring import text_extractor
from tests.unit.infrastructure.extraction.conftest import reason_of
from tests.unit.infrastructure.extraction.producers import docx, pdf
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
ONE, OTHER = UUID(int=1), UUID(int=2)
FOREVER = b"{\\rtf1 " + b"{}" * 20_000_000 + b"}"
"""Takes its reader longer than any test."""


_of_others: set[int] = set()
"""Fork servers that other tests of this process keep."""


def with_extractor(work: Callable[[ChildExtractor], Awaitable[None]], *, children: int = 2) -> None:
    _of_others.clear()
    _of_others.update(server.pid for server in fork_servers())

    async def run() -> None:
        async with ChildExtractor(children=children) as extractor, asyncio.timeout(120):
            await extractor.warm()
            await work(extractor)
        assert not fork_servers()

    asyncio.run(run())


def fork_servers() -> list[psutil.Process]:
    ours = (one for one in psutil.Process().children() if one.pid not in _of_others)
    return [one for one in ours if "fork_server" in " ".join(_command(one))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def readers() -> list[psutil.Process]:
    """The children, zombies among them."""
    return [reader for server in fork_servers() for reader in server.children()]


def only_reader() -> psutil.Process:
    (reader,) = readers()
    return reader


async def until(condition: Callable[[], object], description: str) -> None:
    await asyncio.to_thread(wait_until, condition, description, within_seconds=60)


async def is_reading(reader: psutil.Process) -> None:
    """Returns when the child is at work on a document, not only there."""
    before = reader.cpu_times().user
    await until(lambda: reader.cpu_times().user > before + 0.2, "the child reads")


async def endless() -> AsyncIterator[bytes]:
    """Content whose end never comes."""
    yield b"the beginning"
    await asyncio.Event().wait()


def test_a_killed_reader_is_reported_as_such_and_the_next_document_is_read() -> None:
    async def work(extractor: ChildExtractor) -> None:
        reading = asyncio.create_task(extractor.extract(ONE, FOREVER))
        await until(readers, "a child is there")
        await is_reading(only_reader())
        only_reader().send_signal(signal.SIGKILL)
        with pytest.raises(ReaderKilled):
            await reading
        assert readers() == []
        assert isinstance(await extractor.extract(ONE, docx()), Extracted)

    with_extractor(work)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, Reason.CRASHED),
        (signal.SIGABRT, Reason.USED_TOO_MUCH_MEMORY),
        (signal.SIGXCPU, Reason.TOOK_TOO_LONG),
        (signal.SIGALRM, Reason.TOOK_TOO_LONG),
    ],
)
def test_a_reader_that_dies_of_its_document_is_the_documents_fault(number: signal.Signals, reason: Reason) -> None:
    async def work(extractor: ChildExtractor) -> None:
        reading = asyncio.create_task(extractor.extract(ONE, FOREVER))
        await until(readers, "a child is there")
        await is_reading(only_reader())
        only_reader().send_signal(number)
        assert reason_of(await reading) == reason
        assert readers() == []

    with_extractor(work)


def test_a_killed_fork_server_is_replaced() -> None:
    async def work(extractor: ChildExtractor) -> None:
        reading = asyncio.create_task(extractor.extract(ONE, FOREVER))
        await until(readers, "a child is there")
        reader, (server,) = only_reader(), fork_servers()
        await is_reading(reader)
        server.send_signal(signal.SIGKILL)
        with pytest.raises(ReaderKilled):
            await reading
        await until(lambda: not reader.is_running(), "its child ends with it")
        assert isinstance(await extractor.extract(ONE, docx()), Extracted)

    with_extractor(work)


@pytest.mark.parametrize("content", [FOREVER, endless()], ids=["while it reads", "while it waits for content"])
def test_a_cancelled_extraction_leaves_no_process(content: bytes | AsyncIterator[bytes]) -> None:
    async def work(extractor: ChildExtractor) -> None:
        reading = asyncio.create_task(extractor.extract(ONE, content))
        await until(readers, "a child is there")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert readers() == []

    with_extractor(work)


def test_content_that_fails_is_the_callers_error_and_leaves_no_process() -> None:
    class StoreBroke(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"the beginning"
        raise StoreBroke

    async def work(extractor: ChildExtractor) -> None:
        with pytest.raises(StoreBroke):
            await extractor.extract(ONE, broken())
        assert readers() == []

    with_extractor(work)


def test_a_tenants_documents_share_a_process_that_no_other_tenant_has() -> None:
    async def work(extractor: ChildExtractor) -> None:
        await extractor.extract(ONE, docx())
        first = only_reader().pid
        await extractor.extract(ONE, pdf())
        assert only_reader().pid == first
        await extractor.extract(OTHER, docx())
        assert first not in {reader.pid for reader in readers()}

    with_extractor(work, children=1)


def test_no_more_processes_run_than_were_asked_for() -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(readers()))
            await asyncio.sleep(0)

    async def work(extractor: ChildExtractor) -> None:
        watcher = asyncio.create_task(watch())
        tenants = [UUID(int=number % 3) for number in range(12)]
        outcomes = await asyncio.gather(*(extractor.extract(tenant, docx()) for tenant in tenants))
        watcher.cancel()
        assert all(isinstance(outcome, Extracted) for outcome in outcomes)

    with_extractor(work, children=2)
    assert 1 <= most <= 2


def test_a_closed_extractor_says_so() -> None:
    async def work() -> None:
        extractor = ChildExtractor()
        await extractor.close()
        with pytest.raises(Unavailable, match="closed"):
            await extractor.extract(ONE, docx())

    asyncio.run(work())


def test_each_document_is_reported_with_its_format_and_outcome() -> None:
    reports: list[tuple[str, str]] = []

    async def work() -> None:
        async with text_extractor(1, lambda one, outcome, _: reports.append((one, outcome))) as extractor:
            for content in (docx(), b"PK\x05\x06" + bytes(18), b""):
                await extractor.extract(ONE, content)

    asyncio.run(work())

    assert reports == [("docx", "extracted"), ("unknown", "archive-refused"), ("unknown", "document-empty")]


READS_FOREVER = """
import asyncio, sys
from uuid import UUID
from infrastructure.extraction.extractor import ChildExtractor

asyncio.run(ChildExtractor().extract(UUID(int=1), b"{\\\\rtf1 " + b"{}" * 20_000_000 + b"}"))
"""


def test_a_killed_worker_takes_its_readers_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", READS_FOREVER], cwd=ROOT) as worker:
        process = psutil.Process(worker.pid)
        wait_until(lambda: len(process.children(recursive=True)) == 2, "a child reads", within_seconds=60)
        below = process.children(recursive=True)
        worker.kill()
    wait_until(lambda: not any(one.is_running() for one in below), "both processes are gone")


TRIES = """
import os, socket, subprocess, sys
from infrastructure.extraction.child.confinement import confine
from infrastructure.extraction.limits import ExtractionLimits

confine(ExtractionLimits(memory_bytes=64 * 1024 * 1024), os.getppid())
tries = {
    "network": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "program": lambda: subprocess.run(["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "file": lambda: os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"a"),
    "memory": lambda: bytearray(100 * 1024 * 1024),
}
for name, attempt in tries.items():
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(name, type(error).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system calls of a process are denied by Linux's seccomp")
def test_a_reader_has_no_network_starts_no_program_and_writes_no_file(tmp_path: Path) -> None:
    command = (sys.executable, "-c", TRIES, str(tmp_path / "note"))

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()

    assert found == [
        "network PermissionError",
        "program PermissionError",
        "kill PermissionError",
        "file OSError",
        "memory MemoryError",
    ]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
def test_a_reader_knows_none_of_its_workers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret@host/db")

    async def work(extractor: ChildExtractor) -> None:
        await extractor.extract(ONE, docx())
        (server,) = fork_servers()  # Its children, which nobody may look into, have what it has.
        assert "DATABASE_URL" not in server.environ()

    with_extractor(work)
