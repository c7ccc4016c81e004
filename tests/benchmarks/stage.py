"""The servers under all measurements, and for each run a fresh database, an empty Redis and processes that end with it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

from infrastructure.local_stack.servers.postgres import PostgresServer, postgres_server
from infrastructure.local_stack.servers.redis import RedisServer, redis_server
from infrastructure.local_stack.supervisor.processes import Program, Running
from tests.benchmarks.meter import Meter, await_quiet
from tests.benchmarks.peers.tally import Count, count
from tests.benchmarks.systems import PEERS, ROOT, System
from tests.waiting import wait_until

VERB_SECONDS = 300.0
READY_SECONDS = 60.0
QUIET_CORES = 0.3
QUIET_SECONDS = 15.0


class Show:
    """One run of one system. Leaving it kills its processes."""

    def __init__(self, system: System, database_url: str, servers: "Stage", folder: Path) -> None:
        self.system = system
        self.database_url = database_url
        self.folder = folder
        self.tallies = folder / "tallies"
        self.tallies.mkdir(parents=True)
        self.running: dict[str, Running] = {}
        self._servers = servers
        self._database = psycopg.connect(database_url, autocommit=True)

    def do(self, *verb: str) -> None:
        """Runs one verb of the system to its end. PartFailed with the end of its log when it fails."""
        running = self._launch("-".join(verb[:1]), (*self.system.program, *verb), {})
        running.await_end(within_seconds=VERB_SECONDS)

    def start(self, name: str, *verb: str, **environment: str) -> Running:
        """A verb that runs until the show is over."""
        return self.start_program(name, *self.system.program, *verb, **environment)

    def start_program(self, name: str, *argv: str, **environment: str) -> Running:
        self.running[name] = self._launch(name, argv, environment)
        return self.running[name]

    def start_workers(self, processes: int, **environment: str) -> None:
        """What belongs beside the workers, until it is ready, then the workers; those may take a second or two."""
        if self.system.beside:
            beside = self.start_program("dispatcher", *self.system.beside)
            beside.await_ready(lambda: beside.said("ready: "), within_seconds=READY_SECONDS)
        if self.system.one_by_one:
            for number in range(1, processes + 1):
                self.start(f"worker {number}", "work", "1", **environment)
        else:
            self.start("workers", "work", str(processes), **environment)

    def count(self) -> Count:
        return count(self.tallies)

    def await_runs(self, runs: int, *, within_seconds: float) -> None:
        """Returns when handlers have run so many times."""
        self.await_that(
            lambda: self.count().runs >= runs,
            lambda: f"{self.system.name} ran {self.count().runs} of {runs} jobs",
            within_seconds=within_seconds,
        )

    def await_end(self, *, within_seconds: float) -> None:
        """Returns when no job is open any more, by the system's own books."""
        statement = self.system.open_jobs
        if statement is not None:
            self.await_that(
                lambda: not self.ask(statement),
                lambda: f"{self.system.name} has open jobs",
                within_seconds=within_seconds,
            )

    def await_that(self, condition: Callable[[], bool], fact: Callable[[], str], *, within_seconds: float) -> None:
        def met() -> bool:
            for name, running in self.running.items():
                if running.exit_code is not None:
                    raise AssertionError(running.told(f"{self.system.name}: {name} ended by itself"))
            return condition()

        try:
            wait_until(met, "the condition", within_seconds=within_seconds)
        except AssertionError as error:
            raise AssertionError(f"{fact()} within {within_seconds:.0f} s ({error})") from None

    def ask(self, statement: str) -> object:
        row = self._database.execute(statement.encode()).fetchone()
        return None if row is None else row[0]

    def execute(self, statement: str) -> None:
        self._database.execute(statement.encode())

    def log_bytes(self) -> int:
        """How much PostgreSQL has written to its log of changes since it was set up, by whomever."""
        return int(str(self.ask("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")))

    def meter(self) -> Meter:
        """Begins to measure what each process and server uses."""
        workers = {name: running.pid for name, running in self.running.items()}
        return Meter({**self._servers.pids, **workers})

    def close(self) -> None:
        self._database.close()
        for running in self.running.values():
            running.kill()

    def _launch(self, name: str, argv: tuple[str, ...], environment: dict[str, str]) -> Running:
        return Running(
            Program(
                name=f"{self.system.name} {name}",
                argv=argv,
                log=self.folder / f"{name.replace(' ', '-')}.log",
                environment={**self._environment(), **environment},
                folder=PEERS if str(PEERS) in argv[1] else ROOT,
            )
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT) if not self.system.program[1].startswith(str(PEERS)) else str(PEERS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self._servers.redis_url,
            "TALLY_FOLDER": str(self.tallies),
            "BUCATINI_HOME": str(self.folder / "home"),
            "METRICS_PORT": "0",
        }


class Stage:
    """PostgreSQL and Redis as the product embeds them; each system's tables are made once and copied for each run."""

    def __init__(self, postgres: PostgresServer, redis_process: RedisServer, folder: Path) -> None:
        self._postgres = postgres
        self._redis_process = redis_process
        self._folder = folder
        self._templates: dict[str, str] = {}

    @property
    def pids(self) -> dict[str, int]:
        running = {"PostgreSQL": self._postgres.pid, "Redis": self._redis_process.pid}
        return {name: pid for name, pid in running.items() if pid is not None}

    @property
    def postgres_url(self) -> str:
        """Of the server's own database, apart from those of the runs."""
        return self._postgres.url

    @property
    def redis_url(self) -> str:
        return self._redis_process.url

    @contextmanager
    def show(self, system: System, *, database: str | None = None) -> Iterator[Show]:
        """A run of the system on a copy of its empty database, dropped at the end; or on a named one, which is kept."""
        name = database or self._copy(self._template(system))
        with self.redis() as client:
            client.flushall()
        show = Show(system, self.address(name), self, self._folder / uuid4().hex)
        try:
            yield show
        finally:
            show.close()
            shutil.rmtree(show.tallies, ignore_errors=True)
            if database is None:
                self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def calm(self) -> None:
        """Lets no run pay for what another one wrote: flushes it first, and waits a while for a quiet machine."""
        self.execute(sql.SQL("CHECKPOINT"))
        await_quiet(QUIET_CORES, within_seconds=QUIET_SECONDS)

    def empty_database(self, system: System, name: str) -> str:
        """A database with the system's tables, which stays. Its address."""
        self._copy(self._template(system), name)
        return self.address(name)

    def address(self, database: str) -> str:
        return self._postgres.url_of(database)

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(statement)

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.redis_url)

    def _template(self, system: System) -> str:
        if system.name not in self._templates:
            name = f"template_{len(self._templates)}"
            self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            show = Show(system, self.address(name), self, self._folder / name)
            try:
                show.do("install")
            finally:
                show.close()
            self._templates[system.name] = name
        return self._templates[system.name]

    def _copy(self, template: str, name: str | None = None) -> str:
        name = name or f"run_{uuid4().hex}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self.execute(copy)
        return name


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    with postgres_server(folder / "postgres") as postgres, redis_server(folder / "redis") as redis_process:
        yield Stage(postgres, redis_process, folder)
