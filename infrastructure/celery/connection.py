"""Celery's connection to Redis, which reconnects every few seconds until Redis is back."""

from collections.abc import Callable
from typing import Any

from celery.app import amqp
from kombu import Connection

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 3.0
"""kombu's own backoff grows to half a minute, which would delay every doorbell that long after an outage."""


class PatientConnection(Connection):
    """Retries without limit unless `max_retries` is given."""

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
