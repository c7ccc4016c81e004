"""Events that a function records before its job ends, stored by real workers."""

from itertools import islice
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest

from producers.client import Bucatini
from schemas.commands import Command
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until

PRESS = """
import asyncio
from bucatini import Command, DomainEvent, Run, job


class Print(Command):
    pages: int = 1
    text: str = "page"
    together: bool = False
    hang_at: int = -1

class PagePrinted(DomainEvent):
    page: int
    text: str

class Printed(DomainEvent):
    pages: int

@job("press.print", queue="press", max_attempts=2, records=(PagePrinted,))
async def print_pages(command: Print, run: Run) -> Printed:
    text = command.text.replace("null", "\\x00")
    pages = [PagePrinted.model_construct(page=page, text=text) for page in range(command.pages)]
    if command.together:
        await asyncio.gather(*map(run.record, pages))
        return Printed(pages=len(pages))
    for page in pages:
        await run.record(page)
        if page.page == command.hang_at and run.attempt == 1:
            await asyncio.sleep(3_600)
    return Printed(pages=len(pages))


class Stamp(Command):
    pass

@job("press.stamp", queue="press", records=(PagePrinted,))
def stamp(command: Stamp, run: Run) -> Printed:
    run.record_blocking(PagePrinted(page=7, text="from a thread"))
    return Printed(pages=1)


class Undeclared(DomainEvent):
    type = "press.undeclared"

class Smuggle(Command):
    pass

@job("press.smuggle", queue="press", max_attempts=1)
async def smuggle(command: Smuggle, run: Run) -> None:
    await run.record(Undeclared())
"""


class Print(Command):
    kind: ClassVar[str] = "press.print"
    queue: ClassVar[str] = "press"
    max_attempts: ClassVar[int] = 2
    pages: int = 1
    text: str = "page"
    together: bool = False
    hang_at: int = -1


class Stamp(Command):
    kind: ClassVar[str] = "press.stamp"
    queue: ClassVar[str] = "press"


class Smuggle(Command):
    kind: ClassVar[str] = "press.smuggle"
    queue: ClassVar[str] = "press"
    max_attempts: ClassVar[int] = 1


@pytest.fixture
def press(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has the package."""
    package = tmp_path / "elsewhere" / "press"
    package.mkdir(parents=True)
    (package / "jobs.py").write_text(PRESS)
    return {"BUCATINI_JOBS": "press.jobs", "BUCATINI_JOBS_FOLDER": str(package.parent)}


def test_a_recorded_event_stands_in_the_timeline_whatever_becomes_of_its_worker(
    system: System, press: dict[str, str]
) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1", LEASE_SECONDS="3", HEARTBEAT_SECONDS="0.5")
    fast = {**press, "LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "0.5"}
    doomed = system.start("workers.runtime", "press", **fast)
    (job_id,) = system.submit(Print(pages=2, hang_at=0))
    wait_until(lambda: _pages(system, job_id) == [0], "the first page is recorded")

    doomed.kill()
    system.start("workers.runtime", "press", **fast)

    system.await_state(job_id, "succeeded")
    assert _pages(system, job_id) == [0, 0, 1], "what the first run recorded stays, and the second records its own"
    assert system.timeline(job_id)[-2:] == ["press.printed", "job.succeeded"]


def test_many_events_recorded_at_once_come_in_their_order(system: System, press: dict[str, str]) -> None:
    system.dispatcher()
    system.start("workers.runtime", "press", **press)

    jobs = system.submit(*[Print(pages=100, together=True) for _ in range(5)], Stamp())

    assert system.await_all_finished(len(jobs)) == {"succeeded": len(jobs)}
    assert all(_pages(system, job_id) == list(range(100)) for job_id in jobs[:-1])
    assert _pages(system, jobs[-1]) == [7], "a function in a thread records too"
    assert system.timeline(jobs[-1])[-3:] == ["press.page_printed", "press.printed", "job.succeeded"]


def test_what_cant_be_kept_fails_its_own_job_and_says_why(system: System, press: dict[str, str]) -> None:
    system.dispatcher()
    system.start("workers.runtime", "press", **press)

    large, null, full, good, smuggled = system.submit(
        Print(text="x" * 300_000), Print(text="a null character"), Print(pages=2_001, together=True), Print(), Smuggle()
    )

    assert system.await_all_finished(5) == {"succeeded": 1, "failed": 3, "dead": 1}
    assert system.state(good) == "succeeded"
    assert "at most 256,000 are kept" in system.problem(large)["detail"]
    assert system.problem(null)["type"].endswith("/event-unstorable")
    assert system.problem(full)["type"].endswith("/timeline-full")
    assert system.read("SELECT count(*) < 2010 FROM job_events WHERE job_id = %s", full) == [(True,)]
    assert "TypeError" in system.problem(smuggled)["detail"]


def test_a_run_whose_job_another_worker_has_records_nothing(system: System, press: dict[str, str]) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    system.start("workers.runtime", "press", **press)
    (job_id,) = system.submit(Print(pages=1_900, hang_at=-1))
    wait_until(lambda: _pages(system, job_id), "it records")

    system.read(
        "UPDATE jobs SET lease_token = gen_random_uuid() WHERE id = %s RETURNING id", job_id
    )  # As when another worker has claimed it.
    count = len(_pages(system, job_id))

    wait_until(lambda: not _grows(system, job_id), "nothing more is recorded")
    assert len(_pages(system, job_id)) <= count + 1
    assert "press.printed" not in system.timeline(job_id)


def test_what_is_recorded_reaches_consumer_groups_and_filtered_streams(
    system: System, served: World, press: dict[str, str]
) -> None:
    system.dispatcher()
    system.start("workers.runtime", "press", **press)
    tenant = served.another_key(system.tenant_id)
    with Bucatini(served.url, tenant.key) as client:
        client.groups.put("printers", "press.page_*")
        stream = client.events.follow("press.page_*", last_event_id="0")
        system.submit(Print(pages=3))

        followed = [next(stream) for _ in range(3)]
        taken = []
        for delivery in islice(client.groups.subscribe("press.page_*", group="printers"), 3):
            taken.append(delivery.event)
            assert delivery.ack()

    assert [event.data for event in followed] == [{"page": page, "text": "page"} for page in range(3)]
    assert taken == followed


def _pages(system: System, job_id: UUID) -> list[int]:
    statement = "SELECT (data->>'page')::int FROM job_events WHERE job_id = %s AND type = %s ORDER BY seq"
    return [page for (page,) in system.read(statement, job_id, "press.page_printed")]


def _grows(system: System, job_id: UUID) -> bool:
    before = len(_pages(system, job_id))
    system.read("SELECT pg_sleep(0.3)")
    return len(_pages(system, job_id)) > before
