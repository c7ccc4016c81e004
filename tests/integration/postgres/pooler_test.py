"""Behind a pooler that gives each transaction another session nothing starts; behind one that keeps them, all works."""

import asyncio
import sys

import psycopg
import pytest

from infrastructure.local_stack.supervisor.processes import Program, Running
from infrastructure.ports import Unavailable
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import examine
from infrastructure.postgres.session import PostgresSession, Role
from tests.forked import fork
from tests.integration.serving import World
from tests.pooler import pooler
from tests.probe import LeaveMark
from tests.system import ROOT, System
from tests.waiting import wait_until

REFUSAL = "Set pool_mode=session"
PROCESSES = {
    "api": ("api",),
    "worker": ("workers.runtime", "ai"),
    "dispatcher": ("producers.dispatcher",),
    "doctor": ("producers.cli", "doctor"),
    "migrate": ("producers.cli", "migrate"),
    "up": ("producers.cli", "up", "--once"),
    "holds": ("producers.cli", "holds"),
}


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("settings", [{}, {"server_round_robin": 1, "min_pool_size": 2}, {"default_pool_size": 1}])
def test_a_pooler_that_shares_sessions_is_found_out(database_url: str, mode: str, settings: dict[str, int]) -> None:
    with pooler(database_url, mode, **settings) as address, pytest.raises(Unfit, match=REFUSAL):
        asyncio.run(examine(address))


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_starts_behind_it(system: System, name: str) -> None:
    with pooler(system.settings.database, "transaction") as address:
        system.environment["DATABASE_URL"] = address
        ended = _run(system, *PROCESSES[name])
        assert ended.exit_code not in (0, None)
        assert ended.said(REFUSAL)
        assert not ended.said("Traceback")


def test_a_process_that_runs_already_refuses_it_as_an_outage(database_url: str) -> None:
    async def ask(address: str) -> None:
        async with PostgresSession(address, Role.SYSTEM, "test") as session:
            await session.run(lambda connection: connection.execute("SELECT 1"))

    with pooler(database_url, "transaction") as address, pytest.raises(Unfit, match=REFUSAL):
        asyncio.run(ask(address))


@pytest.mark.parametrize("settings", [{}, {"default_pool_size": 1}])
def test_a_pooler_that_keeps_sessions_is_as_good_as_none(database_url: str, settings: dict[str, int]) -> None:
    with pooler(database_url, "session", **settings) as address:
        asyncio.run(examine(address))


def test_a_pooler_without_a_place_for_a_second_client_is_not_taken_for_one_that_shares(database_url: str) -> None:
    with pooler(database_url, "session", default_pool_size=1) as address, psycopg.connect(address) as other:
        other.execute("SELECT 1")
        with pytest.raises(Unavailable, match="pool") as refusal:
            asyncio.run(examine(address))
        assert not isinstance(refusal.value, Unfit)


def test_tables_are_made_and_jobs_run_behind_one_that_keeps_sessions(system: System) -> None:
    with pooler(system.settings.database, "session") as address:
        system.environment["DATABASE_URL"] = address
        assert _run(system, "producers.cli", "migrate").exit_code == 0
        system.dispatcher()
        system.worker()
        with World(system.settings) as world:
            tenant = world.tenant()
            with world.http(tenant) as http:
                assert http.get("/readyz").json()["status"] == "ready"
                assert len(http.get("/api/jobs").json()["jobs"]) == 0
            system.submit(*[LeaveMark() for _ in range(200)])
            assert system.await_all_finished(200) == {"succeeded": 200}


def _run(system: System, *argv: str) -> Running:
    """The process, once it has ended."""
    running = Running(
        Program(
            name=argv[-1],
            argv=(sys.executable, "-m", *argv),
            log=system.folder / f"{argv[-1]}.log",
            environment=system.environment,
            folder=ROOT,
        ),
        fork,
    )
    system.processes.append(running)
    wait_until(lambda: running.exit_code is not None, f"{' '.join(argv)} ends")
    return running
