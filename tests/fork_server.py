"""`python -m tests.fork_server DESCRIPTOR`: has imported what the product's processes import, and becomes one of them again
and again. The imports are most of what a process costs at its start, and the suite starts hundreds."""

import ctypes
import gc
import json
import os
import runpy
import socket
import sys
import time
from importlib import import_module
from typing import Any

from infrastructure.local_stack.supervisor.parent_death import PR_SET_PDEATHSIG

IMPORTED = (
    "api.app",
    "api.protocol.http",
    "api.protocol.websocket",
    "celery.app.amqp",
    "celery.apps.worker",
    "celery.backends.base",
    "celery.events",
    "celery.loaders.app",
    "celery.worker.components",
    "celery.worker.consumer",
    "httpx_sse",
    "infrastructure.concurrency.process_pool",
    "infrastructure.key_vault.local",
    "infrastructure.object_store.files",
    "infrastructure.tantivy.engine",
    "kombu.transport.redis",
    "producers.cli.api_keys",
    "producers.cli.app",
    "producers.cli.batches",
    "producers.cli.doctor",
    "producers.cli.failures",
    "producers.cli.holds",
    "producers.cli.jobs",
    "producers.cli.schedules",
    "producers.cli.status",
    "producers.cli.submit",
    "producers.cli.table",
    "producers.cli.tenants",
    "producers.cli.webhooks",
    "producers.client.blocking.client",
    "producers.dispatcher.loop",
    "workers.runtime.pools",
    "workers.runtime.serve",
)
"""None of those that tests start: each runs its own module as `__main__`, as `python -m` does it."""
MESSAGE_BYTES = 200_000
STREAMS = 3


def main() -> None:
    for module in IMPORTED:
        import_module(module)
    # Or each child would copy all of it when it looks for garbage, and once more as it ends.
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        order = _await_birth(channel)
    if order is not None:
        _become(order)
        # What follows is the end of an ordinary process: its threads are waited for, its exit code is its own.
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def _await_birth(channel: socket.socket) -> dict[str, Any] | None:
    """In each child, once, what it is to become; in the parent None, when nobody is left to ask."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, STREAMS)
        if not message:
            return None
        order: dict[str, Any] = json.loads(message)
        if "poll" in order:
            pid, status = os.waitpid(order["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                os.setsid()
                for stream, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, stream)
            for descriptor in descriptors:
                os.close(descriptor)
            if not answer:
                return order
        channel.send(json.dumps(answer).encode())


def _become(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    sys.argv = [order["module"], *order["arguments"]]


if __name__ == "__main__":
    main()
