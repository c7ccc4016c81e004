"""Brings the local stack up in a home folder: servers, tables, the first admin key, processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import RUNNER, Home, Record, Recorded, locked
from infrastructure.local_stack.part import ROOT, inherited
from infrastructure.local_stack.programs import FLOWER, choose_ports, process_specs, refuse_taken_ports, urls
from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.local_stack.servers.redis import RedisServer
from infrastructure.local_stack.supervisor.processes import identity
from infrastructure.local_stack.supervisor.stack import Notice, Stack, Started


@dataclass(frozen=True, slots=True)
class Said:
    """A fact a person should know of, as a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class KeyMade:
    """The first admin key, which is shown only once."""

    key: str
    file: Path


RECORD_AGAIN_SECONDS = 1.0

Report = Callable[[Notice | Said | KeyMade], None]


class LocalStack:
    """All parts in one home folder, and the record by which others find them."""

    def __init__(self, home: Home, report: Report, jobs: Sequence[str] = ()) -> None:
        self.home = home
        self._jobs = jobs
        self.urls: Mapping[str, str] = {}
        self.api_key: str | None = None
        """None when the first key was made earlier and isn't in this folder."""
        self._report = report
        self._stack = Stack(self._hear)
        self._settings: dict[str, Any] = {}
        self._environment: dict[str, str] = {}
        """What all processes have in common."""
        self._unrecorded_since: float | None = None
        """Since when the record couldn't be written."""

    def start(self) -> None:
        """Returns when every part is ready. PartFailed, SettingsInvalid, Unavailable, PortTaken or NoFreePort say why not."""
        settings = settings_module.load()
        refuse_taken_ports(settings)
        database_url = settings.database if settings.database_url else self._start_postgres()
        redis_url = settings.redis if settings.redis_url else self._start_redis()
        self._make_tables(database_url, settings.lease_seconds)
        self._keep_first_key(database_url)
        self.api_key = settings.bucatini_api_key.get_secret_value() if settings.bucatini_api_key else self.home.key()
        ports = choose_ports(settings, self._say)
        self.urls = urls(settings, ports)
        self._settings = {
            "database_url": database_url,
            "redis_url": redis_url,
            "api_host": settings.api_host,
            "api_port": ports.api,
            "bucatini_url": self.urls["api"],
            "flower_port": ports.flower,
        }
        if jobs := tuple(self._jobs) or settings.bucatini_jobs:
            folder = settings.bucatini_jobs_folder.resolve()
            self._settings |= {"bucatini_jobs": ",".join(jobs), "bucatini_jobs_folder": str(folder)}
        self._environment = {name.upper(): str(value) for name, value in self._settings.items()}
        self._environment["BUCATINI_HOME"] = str(self.home.folder)
        self._stack.start_processes(process_specs(settings, ports, self._environment, self.home))
        self._record()

    def tend_until(self, done: Callable[[], bool], *, patient: bool = False) -> None:
        """Keeps all parts running until the condition holds. PartFailed when one ends again and again, unless
        patient."""

        def checked() -> bool:
            if self._unrecorded_since is not None and time.monotonic() - self._unrecorded_since > RECORD_AGAIN_SECONDS:
                self._record()
            return done()

        self._stack.tend_until(checked, patient=patient)

    def fault_of_jobs(self) -> str:
        """Why the packages of jobs can't be loaded as they are now; empty if they can. It takes as long as to load them."""
        environment = {**inherited(os.environ), **self._environment}
        argv = [sys.executable, "-m", "kinds"]
        loaded = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return loaded.stderr.strip() if loaded.returncode else ""

    def reload(self) -> None:
        """Restarts every process that has loaded jobs of other packages: all of ours but Flower."""
        self._stack.restart_processes(lambda name: name != FLOWER)
        self._record()

    def stop(self) -> None:
        self._stack.stop()

    def _start_postgres(self) -> str:
        server = PostgresServer(self.home.folder / "postgres", log=self.home.log("postgres"), report=self._say)
        self._stack.start_server(server)
        return server.url

    def _start_redis(self) -> str:
        server = RedisServer(self.home.folder / "redis", log=self.home.log("redis"))
        self._stack.start_server(server)
        return server.url

    def _make_tables(self, database_url: str, lease_seconds: float) -> None:
        from infrastructure.postgres.inspection import inspect

        began = time.monotonic()
        found = inspect(database_url, lease_seconds=lease_seconds)  # Reports one that can't be reached in one sentence.
        if found.unfit:
            # Loaded only now: it brings SQLAlchemy and Alembic, which take longer than all else until here.
            from infrastructure.postgres.migration import migrate

            migrate(database_url)
        self._report(Started("tables", time.monotonic() - began, None))

    def _keep_first_key(self, database_url: str) -> None:
        from infrastructure.postgres.tenants.api_keys import create_first_admin_key

        key = create_first_admin_key(database_url)
        if key is not None:
            try:
                self.home.keep_key(key)
            except OSError as error:
                self._say(
                    f"the first admin key can't be kept ({error.strerror}): note it down, it is shown once: {key}"
                )
            else:
                self._report(KeyMade(key, self.home.key_file))

    def _hear(self, notice: Notice) -> None:
        self._record()
        self._report(notice)

    def _say(self, text: str) -> None:
        self._report(Said(text))

    def _record(self) -> None:
        known = {**self._settings, **({"bucatini_api_key": self.api_key} if self.api_key else {})}
        runner = Recorded(RUNNER, identity(os.getpid()))
        already_said = self._unrecorded_since is not None
        try:
            self.home.record(Record(known, self.urls, (runner, *self._stack.recorded())))
            self._unrecorded_since = None
        except OSError as error:
            self._unrecorded_since = time.monotonic()
            if not already_said:
                self._say(
                    f"what `bucatini status` reads can't be written ({error.strerror}): it tells what was until there is "
                    f"room in {self.home.folder}"
                )


@contextmanager
def local_stack(folder: Path, report: Report, jobs: Sequence[str] = ()) -> Iterator[LocalStack]:
    """Everything started and ready; stopped in order when left, by whatever way. `jobs` are packages that the caller has
    loaded; without them, those of the settings.

    AlreadyRunning when another holds the folder, and what `LocalStack.start` raises. Call it from the main thread: the
    children end with the thread that started them.
    """
    with locked(folder) as home:
        stack = LocalStack(home, report, jobs)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
