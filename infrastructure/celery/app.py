"""The Celery application: its options, declared once, and one task for each kind."""

from collections.abc import Iterable
from typing import Any

from celery import Celery

from infrastructure import settings as settings_module
from infrastructure.celery.message import SEVERAL_KINDS
from infrastructure.settings import Settings
from schemas.commands import Queue

SOCKET_OPTIONS = {
    # Without these a server that vanishes silently freezes a worker for ever (docs/performance.md, Redis faults).
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


def celery_app(settings: Settings | None = None, kinds: Iterable[str] = ()) -> Celery:
    """The application for these settings, or those of the environment. It knows the tasks of the given kinds."""
    app = Celery("bucatini", set_as_current=False)
    app.conf.update(_options((settings or settings_module.load()).redis))
    for kind in (*kinds, SEVERAL_KINDS):
        _register(app, kind)
    return app


def _options(redis_url: str) -> dict[str, Any]:
    return {
        "broker_url": redis_url,
        "broker_transport": "infrastructure.celery.transport:Transport",
        "broker_transport_options": SOCKET_OPTIONS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 4,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # Late, so that the window counts what runs; an early ack would let one worker swallow the queue.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 4,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_create_missing_queues": True,
        "task_default_queue": Queue.WORKFLOW.value,
        "event_queue_ttl": 10.0,
    }


def _register(app: Celery, kind: str) -> None:
    def never_called(*_: Any) -> None:
        raise RuntimeError(f"'{kind}' runs on the coroutine pool only: start it with `bucatini worker`")

    app.task(never_called, name=kind, acks_late=True, ignore_result=True)
