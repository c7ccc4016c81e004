"""Flower, the Celery dashboard, as a process of its own: see `producers/cli/flower.py`.

It keeps names, states, times and short argument texts; results and error messages are removed from the events before
they are stored, since they may quote documents. Without a password it listens on
loopback only and can't change anything.
"""

import ipaddress
import math
import signal
import time
from functools import cached_property, partial
from typing import Any, Final

import structlog
from celery import Celery
from celery.exceptions import OperationalError
from flower.app import Flower  # type: ignore[import-untyped]  # Flower has no types, here and below
from flower.command import extract_settings  # type: ignore[import-untyped]
from flower.events import Events  # type: ignore[import-untyped]
from flower.options import default_options  # type: ignore[import-untyped]
from flower.urls import settings as tornado_settings  # type: ignore[import-untyped]
from tornado.ioloop import IOLoop

from monitoring.logs.redaction import mask

MAX_TASKS: Final = 10_000
"""About 125 MB; the oldest are dropped first."""
_MAX_WORKERS: Final = 1_000
_FORGET_WORKER_AFTER_SECONDS: Final = 600
_LONGEST_ARGUMENTS: Final = 500
_THREADS: Final = 8
_CONNECTIONS: Final = 2 * (_THREADS + 1)
"""Inspecting workers holds one connection while it waits for another: with fewer, the threads would deadlock."""
_ANSWER_SECONDS: Final = 1.0
_ASK_AGAIN_SECONDS: Final = 30.0
_COLUMNS: Final = "name,uuid,state,args,received,started,runtime,worker"

log = structlog.get_logger("monitoring.flower")


class FlowerWouldBeOpen(Exception):
    """Flower was to listen beyond this machine with no password. Set FLOWER_BASIC_AUTH, or keep to loopback."""


def serve_flower(app: Celery, *, host: str, port: int, basic_auth: str | None) -> None:
    """Serves the dashboard until SIGTERM or SIGINT. Call it from the main thread, once a process.

    Port 0 takes a free one. `basic_auth` is `user:password`. FlowerWouldBeOpen when `host` isn't loopback and there is
    none; OSError when the port is taken.
    """
    _refuse_an_open_door(host, basic_auth)
    _set_options(host, port, basic_auth)
    extract_settings()
    app.conf.broker_pool_limit = _CONNECTIONS
    loop = IOLoop.current()
    flower = _Dashboard(options=default_options, capp=app, events=_events(app, loop), io_loop=loop, **tornado_settings)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _number, _frame: loop.add_callback_from_signal(loop.stop))
    found = flower.start_http_server()
    log.info("flower_listening", url=f"http://{host}:{found}/", password_needed=basic_auth is not None)
    try:
        flower.start()
    finally:
        flower.stop()


def harmless(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what may quote a job's content: no result, no traceback, of an error only its type."""
    kept = {name: value for name, value in event.items() if name not in {"result", "traceback", "kwargs"}}
    if "exception" in kept:
        kept["exception"] = str(kept["exception"]).partition("(")[0]
    if "args" in kept:
        kept["args"] = mask(str(kept["args"]))[:_LONGEST_ARGUMENTS]
    return kept


class _Dashboard(Flower):  # type: ignore[misc]  # Flower has no types
    max_workers = _THREADS

    # Celery names the broker by our transport's class, which Flower's broker page doesn't know.
    @cached_property
    def broker_uri(self) -> str:
        return mask(self.broker_uri_with_password)

    @cached_property
    def broker_uri_with_password(self) -> str:
        return str(self.capp.conf.broker_url)


class _HarmlessEvents(Events):  # type: ignore[misc]  # the same
    """Enables task events on each worker until it replies and again now and then, where stock Flower asks all workers
    every five seconds. A worker disables them when no subscriber is left: infrastructure/celery/events.py."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, enable_events=False, **options)
        self._asked: dict[str, float] = {}

    def on_event(self, event: dict[str, Any]) -> None:
        super().on_event(harmless(event))
        if event["type"] in {"worker-online", "worker-heartbeat"}:
            # A worker that comes online, also after a lost connection, has task events disabled.
            self.io_loop.add_callback(self._ask, event["hostname"], anew=event["type"] == "worker-online")

    async def _ask(self, worker: str, *, anew: bool) -> None:
        if time.monotonic() - self._asked.get(worker, -math.inf) < _ASK_AGAIN_SECONDS and not anew:
            return
        if len(self._asked) >= _MAX_WORKERS:
            self._asked.clear()
        self._asked[worker] = time.monotonic()
        ask = partial(self.capp.control.enable_events, destination=[worker], reply=True, timeout=_ANSWER_SECONDS)
        try:
            answered = await self.io_loop.run_in_executor(None, ask)
        except OperationalError as error:
            answered = None
            log.warning("task_events_not_asked_for", worker=worker, why=error)
        if not answered:
            # A worker sends heartbeats before it receives commands: its next heartbeat triggers the next try.
            self._asked.pop(worker, None)


def _refuse_an_open_door(host: str, basic_auth: str | None) -> None:
    if basic_auth is None and not _is_loopback(host):
        raise FlowerWouldBeOpen(
            f"FLOWER_HOST={host} would show Flower to the network with no password: "
            "set FLOWER_BASIC_AUTH=user:password, or leave FLOWER_HOST at 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _set_options(host: str, port: int, basic_auth: str | None) -> None:
    """Flower's options are one object for the whole process, where its pages read them. Nothing comes from argv."""
    default_options.address = host
    default_options.port = port
    default_options.basic_auth = [basic_auth] if basic_auth else []
    default_options.read_only = basic_auth is None
    default_options.persistent = False
    default_options.max_tasks = MAX_TASKS
    default_options.max_workers = _MAX_WORKERS
    default_options.purge_offline_workers = _FORGET_WORKER_AFTER_SECONDS
    default_options.tasks_columns = _COLUMNS
    default_options.debug = False


def _events(app: Celery, loop: IOLoop) -> Events:
    return _HarmlessEvents(
        app,
        io_loop=loop,
        max_workers_in_memory=_MAX_WORKERS,
        max_tasks_in_memory=MAX_TASKS,
    )
