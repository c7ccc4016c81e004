"""The Celery application: its options, and one task for each kind of job."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from celery import Celery

from infrastructure import settings as settings_module
from infrastructure.celery.control import Application
from infrastructure.celery.liveness import Liveness
from infrastructure.celery.message import SEVERAL_KINDS
from infrastructure.celery.window import Window
from infrastructure.redis.address import IN_ONE_SLOT, Address, Direct, InCluster, address_of
from infrastructure.settings import Settings

SOCKET_OPTIONS = {
    # Without these a server that vanishes silently freezes a worker for ever (docs/performance.md, Redis faults).
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


def celery_app(
    settings: Settings | None = None,
    kinds: Iterable[str] = (),
    *,
    pulse: Liveness | None = None,
    window: Window | None = None,
) -> Celery:
    """The Celery application for these settings, by default the environment's.

    It registers a task for each kind, records in `pulse` whether Redis answers its BRPOP, and prefetches what `window`
    has room for. RedisUrlInvalid when REDIS_URL can't be read."""
    app = Application(
        "bucatini",
        set_as_current=False,
        amqp="infrastructure.celery.connection:Amqp",
        control="infrastructure.celery.control:Control",
        events="infrastructure.celery.events:Events",
    )
    redis_url = (settings or settings_module.load()).redis
    known = frozenset(kinds)
    app.conf.update(_options() | _broker(address_of(redis_url), pulse or Liveness(), window or Window(), known))
    for kind in (*known, SEVERAL_KINDS):
        _register(app, kind)
    return app


def _broker(address: Address, pulse: Liveness, window: Window, kinds: frozenset[str]) -> dict[str, Any]:
    options: dict[str, Any] = {**SOCKET_OPTIONS, "pulse": pulse, "window": window, "kinds": sorted(kinds)}
    match address:
        case Direct(url):
            return {"broker_url": url, "broker_transport_options": options}
        case InCluster():
            options["global_keyprefix"] = IN_ONE_SLOT
    # Of this URL Celery uses the credentials and the database; the server is found at each connection.
    credentials = f"{quote(address.username or '', safe='')}:{quote(address.password or '', safe='')}@"
    (host, port), *_ = address.hosts
    url = f"redis://{credentials if address.password else ''}{host}:{port}/{address.db}"
    return {"broker_url": url, "broker_transport_options": {**options, "address": address}}


def _options() -> dict[str, Any]:
    return {
        "broker_transport": "infrastructure.celery.transport:Transport",
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 4,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        # Any value marks the channel as one for jobs; the window decides how many it prefetches.
        "worker_prefetch_multiplier": 4,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_create_missing_queues": True,
        "task_default_queue": "workflow",
        "event_queue_ttl": 10.0,
    }


def _register(app: Celery, kind: str) -> None:
    def never_called(*_: Any) -> None:
        raise RuntimeError(f"'{kind}' runs on the coroutine pool only: start it with `bucatini worker`")

    app.task(never_called, name=kind, acks_late=True, ignore_result=True)
