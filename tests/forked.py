"""Processes of the product that start in a tenth of the time: forks of one that has imported their libraries already."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from infrastructure.local_stack.supervisor.processes import POLL_SECONDS, ChildProcess, Program, spawn
from tests.fork_server import MESSAGE_BYTES
from tests.waiting import GUARD_SECONDS

ROOT = Path(__file__).parent.parent
Ended = subprocess.CompletedProcess[str]


class ForkServer:
    """Lives as long as the process that asks it; what it started is sent its stop signal then."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._one_at_a_time = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
                cwd=ROOT,
                start_new_session=True,
            )

    def ask(self, order: dict[str, Any], *descriptors: int) -> Any:
        with self._one_at_a_time:
            socket.send_fds(self._channel, [json.dumps(order).encode()], descriptors)
            answer = self._channel.recv(MESSAGE_BYTES)
        assert answer, f"the fork server has ended with {self._process.poll()}"
        return json.loads(answer)


class Forked:
    """One of its processes, as `subprocess.Popen` would show it. Its end is the server's to hear of: it is the parent."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._exit_code: int | None = None

    def poll(self) -> int | None:
        if self._exit_code is None:
            self._exit_code = self._server.ask({"poll": self.pid})
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def fork(program: Program, log: int) -> ChildProcess:
    """Starts a program whose argv is `python -m MODULE ARGUMENT…`, of this release, with its output in this file."""
    if sys.platform != "linux":
        return spawn(program, log)
    python, dash_m, module, *arguments = program.argv
    assert (python, dash_m) == (sys.executable, "-m"), "a fork becomes nothing but a module"
    order = {
        "module": module,
        "arguments": arguments,
        "environment": program.environment,
        "folder": str(program.folder),
        "death_signal": program.stop_signals[0].value,
    }
    with Path(os.devnull).open("rb") as nothing:
        return _forked(order, nothing.fileno(), log, log)


def run(module: str, *arguments: str, environment: Mapping[str, str], folder: Path, stdin: str = "") -> Ended:
    """What `python -m MODULE ARGUMENT…`, of this release, says and ends with."""
    if sys.platform != "linux":
        argv = [sys.executable, "-m", module, *arguments]
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            input=stdin,
            check=False,
            cwd=folder,
            env=environment,
            timeout=GUARD_SECONDS,
        )
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        order = {
            "module": module,
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(folder),
            "death_signal": signal.SIGKILL.value,
        }
        code = _forked(order, given.fileno(), out.fileno(), err.fileno()).wait(GUARD_SECONDS)
        return subprocess.CompletedProcess([module, *arguments], code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _forked(order: dict[str, Any], *streams: int) -> Forked:
    server = _fork_server()
    return Forked(server, server.ask(order, *streams))


@cache
def _fork_server() -> ForkServer:
    """The one of this process."""
    return ForkServer()
