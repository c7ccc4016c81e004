"""How Celery waits for a Redis that isn't there: it asks again every few seconds, however long it takes."""

from collections.abc import Callable
from typing import Any

from celery.app import amqp
from kombu import Connection

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 3.0
"""kombu's own pauses grow to half a minute, for which every bell would lie there after an outage."""


class PatientConnection(Connection):
    """Never gives up unless it is told how often to try."""

    def _ensure_connection(
        self, errback: Callable[..., Any] | None = None, max_retries: int | None = None, **options: Any
    ) -> Any:
        pauses = {
            "interval_start": FIRST_PAUSE_SECONDS,
            "interval_step": 1.0,
            "interval_max": LONGEST_PAUSE_SECONDS,
        }
        return super()._ensure_connection(errback, max_retries, **{**pauses, **options})


class Amqp(amqp.AMQP):
    Connection = PatientConnection
