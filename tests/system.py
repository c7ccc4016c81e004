"""A running system as a test holds it: submits jobs, starts and kills processes, reads the truth from PostgreSQL."""

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg

from infrastructure.local_stack.supervisor.processes import Program, Running, spawn
from infrastructure.postgres.jobs.submission import Submission
from infrastructure.settings import Settings
from infrastructure.settings import load as load_settings
from producers.submission.submitter import ORDINARY, JobOptions, new_job, open_submitter
from schemas.commands import Command
from schemas.jobs import TERMINAL
from tests.forked import fork
from tests.tenancy import limit_tenant, make_tenant
from tests.waiting import GUARD_SECONDS, wait_until

MAX_AT_ONCE = 1_000
ROOT = Path(__file__).parent.parent
READY = {
    "tests.probe": "ready: ",
    "tests.releases": "ready: ",
    "tests.skewed": "ready: ",
    "producers.dispatcher": "ready: ",
    "producers.cli.flower": "flower_listening",
    "workers.runtime": "ready: ",
}
FRESH = {"tests.skewed"}
"""Those that change what others import, and so must come before them."""
FINISHED = ", ".join(f"'{state}'" for state in TERMINAL)


class System:
    """Everything on one database and one Redis. Leaving it kills what it started."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, tenant_id: UUID | None = None) -> None:
        """With a tenant of its own, unless its tables are too old for this release to make one."""
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BUCATINI_HOME": str(folder / "home"),
            "LOG_FORMAT": "console",
            "METRICS_PORT": "0",
            "GRACE_SECONDS": "5",
        }
        self.processes: list[Running] = []
        self._database_url = database_url
        self.tenant_id = tenant_id or self.tenant()
        self.reconnect()
        self._database.execute("CREATE TABLE marks (job_id uuid, attempt int, at timestamptz DEFAULT now())")
        self._database.execute("GRANT ALL ON marks TO bucatini_system")

    @property
    def settings(self) -> Settings:
        return load_settings(self.environment)

    def tenant(self, **limits: Any) -> UUID:
        """Another tenant."""
        return make_tenant(self._database_url, **limits)

    def limit(self, tenant_id: UUID, **limits: Any) -> int:
        """How many waiting jobs the tenant's new cap holds back."""
        return limit_tenant(self.settings, tenant_id, **limits)

    # Processes

    def worker(self, queue: str = "ai", **environment: str) -> Running:
        """A probe worker, ready to claim."""
        return self.start("tests.probe", queue, **environment)

    def dispatcher(self, **environment: str) -> Running:
        return self.start("producers.dispatcher", **environment)

    def start(self, module: str, *arguments: str, **environment: str) -> Running:
        return self.start_from(ROOT, module, *arguments, **environment)

    def start_from(self, release: Path, module: str, *arguments: str, **environment: str) -> Running:
        """The module as the release has it whose files are in that folder."""
        running = self.begin(module, *arguments, release=release, **environment)
        running.await_ready(lambda: running.said(READY.get(module, "ready")), within_seconds=GUARD_SECONDS)
        return running

    def begin(self, module: str, *arguments: str, release: Path = ROOT, **environment: str) -> Running:
        """Starts it and doesn't wait until it works."""
        name = f"{module}-{len(self.processes)}"
        running = Running(
            Program(
                name=name,
                argv=(sys.executable, "-m", module, *arguments),
                log=self.folder / f"{name}.log",
                environment={**self.environment, "PYTHONPATH": str(release), **environment},
                folder=release,
            ),
            fork if release == ROOT and module not in FRESH else spawn,
        )
        self.processes.append(running)
        return running

    def freeze(self, process: Running) -> None:
        os.killpg(process.pid, signal.SIGSTOP)

    def thaw(self, process: Running) -> None:
        os.killpg(process.pid, signal.SIGCONT)

    # Jobs

    def submit(self, *commands: Command, terms: JobOptions = ORDINARY, tenant_id: UUID | None = None) -> list[UUID]:
        """The ids of the jobs, once they are committed and rung for."""
        return [outcome.job_id for outcome in self.try_submit(*commands, terms=terms, tenant_id=tenant_id)]

    def try_submit(
        self, *commands: Command, terms: JobOptions = ORDINARY, tenant_id: UUID | None = None
    ) -> list[Submission]:
        async def submit() -> list[Submission]:
            async with open_submitter(self.settings) as submitter:
                jobs = [new_job(tenant_id or self.tenant_id, command, terms) for command in commands]
                shares = [jobs[start : start + MAX_AT_ONCE] for start in range(0, len(jobs), MAX_AT_ONCE)]
                return [outcome for share in shares for outcome in await submitter.submit_all(share)]

        return asyncio.run(submit())

    def submit_alone(self, command: Command) -> UUID:
        """As a caller of the ingress does it, who is waited for."""

        async def submit() -> UUID:
            async with open_submitter(self.settings) as submitter:
                return (await submitter.submit(self.tenant_id, command)).job_id

        return asyncio.run(submit())

    # The truth

    def read(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, parameters).fetchall()

    def state(self, job_id: UUID) -> str:
        return str(self.read("SELECT state FROM jobs WHERE id = %s", job_id)[0][0])

    def states(self) -> Counter[str]:
        return Counter(dict(self.read("SELECT state, count(*) FROM jobs GROUP BY state")))

    def problem(self, job_id: UUID) -> dict[str, Any]:
        problem: dict[str, Any] = self.read("SELECT problem FROM jobs WHERE id = %s", job_id)[0][0]
        return problem

    def timeline(self, job_id: UUID) -> list[str]:
        rows = self.read("SELECT type, seq FROM job_events WHERE job_id = %s ORDER BY seq", job_id)
        assert [seq for _, seq in rows] == list(range(1, len(rows) + 1)), "a timeline has no gaps"
        return [kind for kind, _ in rows]

    def marks(self, job_id: UUID) -> list[int]:
        return [attempt for (attempt,) in self.read("SELECT attempt FROM marks WHERE job_id = %s ORDER BY at", job_id)]

    def most_at_once(self) -> int:
        """The most jobs that ran at the same time, by what PostgreSQL noted of their starts and ends."""
        rows = self.read(
            """
            SELECT max(running) FROM (
              SELECT sum(step) OVER (ORDER BY at, step) AS running FROM (
                SELECT at, CASE WHEN type = 'job.started' THEN 1 ELSE -1 END AS step FROM job_events
                WHERE type IN ('job.started', 'job.succeeded', 'job.failed', 'job.dead', 'job.retrying', 'job.requeued',
                  'job.released')
                  OR (type = 'job.cancelled' AND data->>'by' = 'owner')) s) r
            """
        )
        return int(rows[0][0])

    def await_state(self, job_id: UUID, *states: str, within_seconds: float = GUARD_SECONDS) -> str:
        return wait_until(
            lambda: state if (state := self.state(job_id)) in states else "",
            f"job {job_id} is {' or '.join(states)}",
            within_seconds=within_seconds,
        )

    def await_all_finished(self, count: int, *, within_seconds: float = GUARD_SECONDS) -> Counter[str]:
        statement = f"SELECT count(*) FROM jobs WHERE state IN ({FINISHED})"
        wait_until(
            lambda: self.read(statement)[0][0] >= count,
            f"all {count} jobs have ended",
            within_seconds=within_seconds,
        )
        return self.states()

    def reconnect(self) -> None:
        self._database = psycopg.connect(self._database_url, autocommit=True)

    def disconnect(self) -> None:
        self._database.close()

    def close(self) -> None:
        self.disconnect()
        for process in self.processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGCONT)
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
