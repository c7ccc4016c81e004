"""A real PostgreSQL 18 from a wheel, as our own child: on a socket of its own and a free loopback port, with a
password."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psutil

from infrastructure.local_stack.files.folders import open_for_reading, open_way_to, unprivileged_user, usable
from infrastructure.local_stack.files.private_files import lasting_secret
from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.local_stack.servers.postgres_data import (
    FAST,
    IMMEDIATE,
    STOP_SECONDS,
    SUPERUSER,
    holds_data,
    make_data,
    program,
    program_folders,
    programs,
)
from infrastructure.local_stack.supervisor.processes import (
    PartFailed,
    Program,
    Running,
    User,
    end,
    identity,
    remember,
    stop_leftover,
)
from infrastructure.postgres.address import EMBEDDED

READY_SECONDS = 120.0
"""Long enough to replay a full write-ahead log after a crash."""
SHARED_MEMORY_SECONDS = 15.0
"""What the backends of a postmaster that was killed get to notice and end in."""
SEGMENT_BYTES = 16_000_000
"""Of the log of changes: without room for one of them PostgreSQL neither recovers nor starts."""
SOCKET_PATH_BYTES = 103
"""What a socket's path may have on macOS; Linux allows four more."""

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    # Nothing replicates from it. The log of changes is kept for recovery alone.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    # One careless query may sort and spill this much, and no more: without it, it fills the machine's disk.
    "temp_file_limit": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and their errors quote documents. They go to the client that sent them, never to the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def _silent(_: str) -> None:
    pass


class PostgresServer:
    """One data folder and the server on it. `start` after `stop` or `kill` keeps port, password and data."""

    name = "postgres"

    def __init__(self, folder: Path, *, log: Path | None = None, report: Callable[[str], None] = _silent) -> None:
        """PartFailed when the folder can't be used. `report` is called with sentences for a person."""
        self.folder = usable(folder)
        self.log = log or self.folder / "postgres.log"
        self.port = free_port()
        self._report = report
        self._data = self.folder / "data"
        self._process_file = self.folder / "process.json"
        self._user: User | None = None
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """For libpq, psycopg and people; holds the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Another database of it. What knows no sockets finds the server on loopback at the same port."""
        # A round trip through its socket is shorter, by a fifteenth of a lone call's whole way.
        folder = quote(self._socket_folder(), safe="")
        place = f"/{database}?host={folder}&port={self.port}&" if folder else f"{LOOPBACK}:{self.port}/{database}?"
        return f"postgresql://{SUPERUSER}:{self._password()}@{place}application_name={EMBEDDED}"

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it is started."""
        return self._running.exit_code if self._running else None

    def start(self) -> None:
        """Returns when it accepts connections; makes the data folder at the first start. PartFailed says why not."""
        if self._running and self._running.exit_code is None:
            return
        self._user = unprivileged_user()
        if self._user:
            open_way_to(self.folder, self._report)
            open_way_to(programs(), self._report)
            for folder in program_folders():
                open_for_reading(folder)
        self._stop_earlier_run()
        if not holds_data(self._data):
            make_data(self._data, self._password(), self._user, self.log)
        self._run()

    def stop(self) -> None:
        """Ends it in order: what runs is rolled back, what is committed is on disk. Safe to repeat."""
        if self._running:
            self._running.stop()
            self._process_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends it and all its backends as a power cut would. The next start recovers."""
        if self._running is None or self._running.exit_code is not None:
            return
        backends = psutil.Process(self._running.pid).children(recursive=True)
        self._running.kill()
        for backend in backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.kill()

    def _password(self) -> str:
        return lasting_secret(self.folder / "password")

    def _stop_earlier_run(self) -> None:
        left = stop_leftover(self._process_file, (FAST, IMMEDIATE), grace_seconds=STOP_SECONDS)
        left = self._settle_pid_file() or left
        if left:
            self._report(f"PostgreSQL of an earlier run (process {left}) was still running and is stopped")

    def _settle_pid_file(self) -> int | None:
        """Ends the server that PostgreSQL's own file names, and returns its process id; a stale file is removed."""
        pid_file = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text(encoding="utf-8").splitlines()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None  # PostgreSQL itself sees that no such process runs, and starts.
        ours = self._serves_our_data(process)
        if ours:
            end(identity(process.pid), (FAST, IMMEDIATE), grace_seconds=STOP_SECONDS)
        # Whatever has the number now, a zombie or another program, PostgreSQL would take it for its earlier self.
        pid_file.unlink(missing_ok=True)
        return process.pid if ours else None

    def _serves_our_data(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "postgres" and str(self._data) in process.cmdline()
        except psutil.NoSuchProcess:  # A zombie says so too.
            return False

    def _run(self) -> None:
        deadline = time.monotonic() + SHARED_MEMORY_SECONDS
        while not self._tried():
            if time.monotonic() > deadline:
                raise PartFailed(f"backends of an earlier PostgreSQL still work on {self._data}: end them first")
            time.sleep(0.2)

    def _tried(self) -> bool:
        """Whether it runs. False while backends of a killed postmaster are there; PartFailed for other reasons."""
        # Known from its first moment, so that a Ctrl-C or a crash while it starts leaves nobody behind.
        running = self._running = Running(self._server())
        remember(running.pid, self._process_file)
        try:
            running.await_ready(lambda: self._accepts(running.pid), within_seconds=READY_SECONDS)
        except PartFailed:
            running.kill()
            if running.said("is still in use"):
                self._end_backends()
                return False
            # Where its log is on that disk as well, it can't even say so.
            if running.said("No space left on device") or shutil.disk_usage(self.folder).free < SEGMENT_BYTES:
                raise PartFailed(f"PostgreSQL can't start: the disk of {self._data} is full. Free some space") from None
            raise
        return True

    def _server(self) -> Program:
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": _quoted(self._socket_folder())}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return program("postgres", ("-D", str(self._data), *flags), self._data, self._user, self.log)

    def _socket_folder(self) -> str:
        """The data folder, where others can't get in; none where a socket's path, or a list of hosts, can't hold it."""
        path = f"{self._data}/.s.PGSQL.{self.port}.lock"
        fits = len(os.fsencode(path)) <= SOCKET_PATH_BYTES and not set('",') & set(path)
        return str(self._data) if fits else ""

    def _accepts(self, pid: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) == 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _end_backends(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == str(self._data):
                    process.kill()


def _quoted(folder: str) -> str:
    """As one name of PostgreSQL's list of folders."""
    return f'"{folder}"' if folder else ""


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A running server on this folder, stopped at the end. Tests may stop, kill and start it in between."""
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
