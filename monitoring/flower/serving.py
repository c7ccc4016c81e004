"""Flower as a process of its own: see `producers/cli/flower.py`.

It keeps names, states, times and short argument texts; results and error messages are removed from the events before
they are stored, since they may quote documents. Without a password it listens on loopback only and can't change
anything.
"""

import ipaddress
import signal
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import structlog
from celery import Celery
from flower.app import Flower  # type: ignore[import-untyped]  # Flower has no types, here and below
from flower.command import extract_settings  # type: ignore[import-untyped]
from flower.options import default_options  # type: ignore[import-untyped]
from flower.urls import settings as tornado_settings  # type: ignore[import-untyped]
from tornado.ioloop import IOLoop

from monitoring.flower.events import MAX_TASKS, MAX_WORKERS, HarmlessEvents
from monitoring.flower.pages import Pages, handlers
from monitoring.logs.redaction import mask

_FORGET_WORKER_AFTER_SECONDS: Final = 600
_THREADS: Final = 8
_CONNECTIONS: Final = 2 * (_THREADS + 1)
"""Inspecting workers holds one connection while it waits for another: with fewer, the threads would deadlock."""
_COLUMNS: Final = "name,state,result,exception,args,received,started,runtime,worker,uuid"

log = structlog.get_logger("monitoring.flower")


class FlowerWouldBeOpen(Exception):
    """Flower was to listen beyond this machine with no password. Set FLOWER_BASIC_AUTH, or keep to loopback."""


def serve_flower(
    app: Celery, *, host: str, port: int, basic_auth: str | None, console_url: str, queues: Iterable[str]
) -> None:
    """Serves the dashboard until SIGTERM or SIGINT. Call it from the main thread, once a process.

    Port 0 takes a free one. `basic_auth` is `user:password`. Its pages link to `console_url`, and list these queues also
    while no worker serves them. FlowerWouldBeOpen when `host` isn't loopback and there is
    none; OSError when the port is taken.
    """
    _refuse_an_open_door(host, basic_auth)
    _set_options(host, port, basic_auth)
    extract_settings()
    app.conf.broker_pool_limit = _CONNECTIONS
    loop = IOLoop.current()
    flower = _Dashboard(
        options=default_options,
        capp=app,
        events=_events(app, loop),
        io_loop=loop,
        **{**tornado_settings, "template_loader": Pages(tornado_settings["template_path"], console_url)},
    )
    flower.add_handlers(".*", handlers(queues))
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda _number, _frame: loop.add_callback_from_signal(loop.stop))
    found = flower.start_http_server()
    log.info("flower_listening", url=f"http://{host}:{found}/", password_needed=basic_auth is not None)
    try:
        flower.start()
    finally:
        flower.stop()


class _Dashboard(Flower):  # type: ignore[misc]  # Flower has no types
    max_workers = _THREADS

    # Celery names the broker by our transport's class, which Flower's broker page doesn't know.
    @cached_property
    def broker_uri(self) -> str:
        return mask(self.broker_uri_with_password)

    @cached_property
    def broker_uri_with_password(self) -> str:
        return str(self.capp.conf.broker_url)


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
    default_options.max_workers = MAX_WORKERS
    default_options.purge_offline_workers = _FORGET_WORKER_AFTER_SECONDS
    default_options.tasks_columns = _COLUMNS
    default_options.debug = False


def _events(app: Celery, loop: IOLoop) -> HarmlessEvents:
    return HarmlessEvents(
        app,
        io_loop=loop,
        max_workers_in_memory=MAX_WORKERS,
        max_tasks_in_memory=MAX_TASKS,
    )
