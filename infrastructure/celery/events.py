"""Task events for whoever watches: they begin when a dashboard asks for them and end when nobody listens any more."""

import logging
from time import monotonic
from typing import Any

from celery.app import events
from celery.events.dispatcher import EventDispatcher

UNHEARD_SECONDS = 10.0
"""A worker says every two seconds that it lives, so this is five times that nobody heard it."""
TASKS = "task"

logger = logging.getLogger(__name__)


class Events(events.Events):
    dispatcher_cls = "infrastructure.celery.events:Dispatcher"


class Dispatcher(EventDispatcher):
    """Celery's own, which never ends by itself what a dashboard once asked for, at half of a worker's speed."""

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
            # In place, as Celery's own `disable_events` does it: the set is looked at by every event.
            self.groups.discard(TASKS)
            self._group_buffer[TASKS].clear()
            logger.info("task events end: nobody listens")
