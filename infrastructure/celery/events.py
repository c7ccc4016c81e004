"""Celery's task events: they start when a dashboard enables them and stop when no subscriber is left."""

import logging
from time import monotonic
from typing import Any

from celery.app import events
from celery.events.dispatcher import EventDispatcher

UNHEARD_SECONDS = 10.0
"""Five of the worker's heartbeat events, which it publishes every two seconds."""
TASKS = "task"

logger = logging.getLogger(__name__)


class Events(events.Events):
    dispatcher_cls = "infrastructure.celery.events:Dispatcher"


class Dispatcher(EventDispatcher):
    """Celery's dispatcher, which also disables task events that nobody receives: Celery itself never does, and they
    cost half of a worker's throughput."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._heard_at = monotonic()
        super().__init__(*args, **options)

    def _publish(self, event: Any, producer: Any, routing_key: str, **options: Any) -> None:
        super()._publish(event, producer, routing_key, **options)
        if producer is not None:
            self._notice(getattr(producer.channel, "listeners", {}).get(self.exchange.name))

    def _notice(self, listeners: int | None) -> None:
        now = monotonic()
        if listeners != 0:
            self._heard_at = now
        elif TASKS in self.groups and now - self._heard_at > UNHEARD_SECONDS:
            # In place, as Celery's own `disable_events` does: every event reads this set.
            self.groups.discard(TASKS)
            self._group_buffer[TASKS].clear()
            logger.info("disabled task events: no subscriber is left")
