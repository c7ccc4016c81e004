"""Forks the children that read documents, from a process that has loaded their libraries once. A program.

    python -I -m infrastructure.extraction.child.fork_server LIMITS     standard input: the worker's control socket

The worker sends two sockets for each child: a channel for its documents, and a lifeline that this process keeps. The child
is killed when the lifeline's other end is shut, so when the worker dies too; its exit status goes back over the lifeline
after it was reaped. This process has one thread and holds no document.
"""

import gc
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

import orjson

from infrastructure.extraction.child.protocol import FORK, READY, STATUS
from infrastructure.extraction.child.serving import serve
from infrastructure.extraction.limits import ExtractionLimits
from infrastructure.offline.text.language import identifier


@dataclass(slots=True)
class _Child:
    lifeline: socket.socket
    process_id: int


def main(limits: str) -> None:
    control = socket.socket(fileno=os.dup(0))
    # A service's stop reaches each of its processes; the worker drains first, and then hangs up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    identifier()
    # What is loaded is never collected, so that no child copies it by looking through it.
    gc.collect()
    gc.freeze()
    ForkServer(control, ExtractionLimits(**orjson.loads(limits))).run()


class ForkServer:
    def __init__(self, control: socket.socket, limits: ExtractionLimits) -> None:
        self._control = control
        self._limits = limits
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, self._ended_end = socket.socketpair()

    def run(self) -> None:
        """Returns when the worker has hung up and every child is gone."""
        for wake in (self._ended, self._ended_end):
            wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ended_end.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._control.sendall(READY)
        while self._turn():
            pass
        for child in self._children.values():
            os.kill(child.process_id, signal.SIGKILL)
        for process_id in list(self._children):
            os.waitpid(process_id, 0)

    def _turn(self) -> bool:
        """Whether the worker is still there."""
        for key, _ in self._selector.select():
            if key.fileobj is self._control:
                if not self._take_order():
                    return False
            elif key.fileobj is self._ended:
                with suppress(BlockingIOError):
                    self._ended.recv(4096)
                self._reap()
            elif isinstance(key.data, _Child) and key.data.process_id in self._children:
                # Only this process reaps the child, so its id can't be another's yet.
                os.kill(key.data.process_id, signal.SIGKILL)
                self._selector.unregister(key.fileobj)
        return True

    def _take_order(self) -> bool:
        try:
            order, files, _, _ = socket.recv_fds(self._control, len(FORK), 2)
        except OSError:
            return False
        if len(files) == 2:
            channel, lifeline = (socket.socket(fileno=file) for file in files)
            with channel:
                self._fork(channel, lifeline)
        return bool(order)

    def _fork(self, channel: socket.socket, lifeline: socket.socket) -> None:
        parent = os.getpid()
        try:
            process_id = os.fork()
        except OSError:  # The machine has no more processes: the worker sees a child that is gone at once.
            lifeline.close()
            return
        if not process_id:
            self._become_child(channel, lifeline, parent)
        child = _Child(lifeline, process_id)
        self._children[process_id] = child
        self._selector.register(lifeline, selectors.EVENT_READ, child)

    def _become_child(self, channel: socket.socket, lifeline: socket.socket, parent: int) -> None:
        """Never returns: nothing of the fork server may go on in its child."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            # A child that a document took over must not reach another tenant's.
            for one in (self._control, self._ended, self._ended_end, lifeline, *self._lifelines()):
                one.close()
            nothing = os.open(os.devnull, os.O_RDWR)
            for standard in range(3):
                os.dup2(nothing, standard)
            os.close(nothing)
            serve(channel, self._limits, parent)
            status = 0
        finally:
            os._exit(status)

    def _lifelines(self) -> list[socket.socket]:
        return [child.lifeline for child in self._children.values()]

    def _reap(self) -> None:
        while self._children:
            process_id, status = os.waitpid(-1, os.WNOHANG)
            if not process_id:
                return
            child = self._children.pop(process_id)
            with suppress(KeyError):
                self._selector.unregister(child.lifeline)
            with child.lifeline, suppress(OSError):
                child.lifeline.setblocking(False)
                child.lifeline.send(STATUS.pack(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
