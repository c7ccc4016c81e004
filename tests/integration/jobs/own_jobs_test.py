"""Jobs of a package that lies in a folder, run by real workers, beside a dispatcher that has never heard of it."""

from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
import redis

from schemas.commands import Command
from tests.system import System
from tests.waiting import wait_until

SHOP = """
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Any

from bucatini import Command, DomainEvent, Run, Settings, job

opened = 0


@asynccontextmanager
async def till(settings: Settings) -> AsyncIterator[int]:
    global opened
    opened += 1
    yield opened


class Sell(Command):
    version: ClassVar[int] = 2
    items: tuple[str, ...]

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        return {"items": [fields["item"]]} if version < 2 else fields

class Sold(DomainEvent):
    items: tuple[str, ...]
    till: int

class SoldOut(DomainEvent):
    missing: str

@job("shop.sell", queue="shop", uses=till)
async def sell(command: Sell, run: Run, till: int) -> Sold | SoldOut:
    if "unicorn" in command.items:
        return SoldOut(missing="unicorn")
    return Sold(items=command.items, till=till)


class Place(Command):
    pass

class Placed(DomainEvent):
    process_id: int
    thread: str

class PlaceAgain(Command):
    pass

class PlacedAgain(DomainEvent):
    process_id: int

@job("shop.place", queue="shop")
def place(command: Place, run: Run) -> Placed:
    run.progress(0.5, "in a thread")
    return Placed(process_id=os.getpid(), thread=threading.current_thread().name)

@job("shop.place_again", queue="shop", needs_processor=True)
def place_again(command: PlaceAgain) -> PlacedAgain:
    return PlacedAgain(process_id=os.getpid())


class Lie(Command):
    pass

@job("shop.lie", queue="shop", max_attempts=1)
async def lie(command: Lie, run: Run) -> Sold:
    return "nothing"


class Pack(Command):
    pass

class Packed(DomainEvent):
    parcels: int

@job("shop.pack", queue="workflow", max_attempts=1)
async def pack(command: Pack, run: Run) -> Packed:
    return Packed(parcels=1)
"""


class Sell(Command):
    """As a submitter of the release before knows it."""

    kind: ClassVar[str] = "shop.sell"
    queue: ClassVar[str] = "shop"
    item: str


class SellMany(Command):
    kind: ClassVar[str] = "shop.sell"
    queue: ClassVar[str] = "shop"
    version: ClassVar[int] = 2
    items: tuple[str, ...]


class Place(Command):
    kind: ClassVar[str] = "shop.place"
    queue: ClassVar[str] = "shop"


class PlaceAgain(Command):
    kind: ClassVar[str] = "shop.place_again"
    queue: ClassVar[str] = "shop"


class Lie(Command):
    kind: ClassVar[str] = "shop.lie"
    queue: ClassVar[str] = "shop"


class Pack(Command):
    kind: ClassVar[str] = "shop.pack"
    queue: ClassVar[str] = "workflow"
    max_attempts: ClassVar[int] = 1


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has the package."""
    package = tmp_path / "elsewhere" / "shop"
    package.mkdir(parents=True)
    (package / "jobs.py").write_text(SHOP)
    return {"BUCATINI_JOBS": "shop.jobs", "BUCATINI_JOBS_FOLDER": str(package.parent)}


def test_a_pool_of_ones_own_runs_functions_where_each_belongs(system: System, shop: dict[str, str]) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    worker = system.start("workers.runtime", "shop", **shop)

    first, second, old, thread, child, lie = system.submit(
        SellMany(items=("hat",)), SellMany(items=("unicorn",)), Sell(item="scarf"), Place(), PlaceAgain(), Lie()
    )

    assert system.await_all_finished(6) == {"succeeded": 5, "failed": 1}
    assert _result(system, first) == {"items": ["hat"], "till": 1}
    assert _result(system, second) == {"missing": "unicorn"}
    assert _result(system, old) == {"items": ["scarf"], "till": 1}, "opened once, and an old command was read"
    assert _result(system, thread) == {"process_id": worker.pid, "thread": "job"}
    assert _result(system, child)["process_id"] != worker.pid
    assert "shop.sold_out" in system.timeline(second)
    assert system.problem(lie)["detail"] == "The function of shop.lie returned str; it declares Sold."


def test_jobs_of_a_queue_that_the_dispatcher_doesnt_know_are_rung_again(system: System, shop: dict[str, str]) -> None:
    jobs = system.submit(*[SellMany(items=("hat",)) for _ in range(3)])
    with redis.Redis.from_url(system.settings.redis) as client:
        client.flushall()

    system.dispatcher(RING_AGAIN_SECONDS="1")
    system.start("workers.runtime", "shop", **shop)

    assert system.await_all_finished(len(jobs)) == {"succeeded": 3}


def test_a_job_waits_for_a_worker_of_its_pool_when_another_lacks_its_package(
    system: System, shop: dict[str, str]
) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    lacking = system.start("workers.runtime", "workflow")
    (packed,) = system.submit(Pack())
    wait_until(
        lambda: system.timeline(packed).count("job.retrying") >= 2, "the worker without the package met it twice"
    )
    assert system.problem(packed)["type"].endswith("/not-understood")
    assert system.read("SELECT attempt, max_attempts FROM jobs") == [(0, 1)]

    system.start("workers.runtime", "workflow", **shop)

    assert system.await_state(packed, "succeeded") == "succeeded"
    assert lacking.exit_code is None


def test_a_worker_of_no_known_queue_says_which_there_are(system: System) -> None:
    worker = system.begin("workers.runtime", "shop")
    wait_until(lambda: worker.exit_code is not None, "it ends")

    assert worker.said("there is no queue 'shop'; known are ai, keys, search, workflow, webhooks")


def _result(system: System, job_id: UUID) -> dict[str, Any]:
    ((result,),) = system.read("SELECT result FROM jobs WHERE id = %s", job_id)
    found: dict[str, Any] = result
    return found
