"""Tests wait for a condition that they can name, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02
GUARD_SECONDS = 90.0
"""Ends a test that would hang, on the busiest machine. Where soon is promised, the test says how soon."""


def wait_until(condition: Callable[[], T], description: str, *, within_seconds: float = GUARD_SECONDS) -> T:
    """The condition's first true value. Fails with the description when there is none in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds:.0f} s: {description}")
        time.sleep(POLL_SECONDS)
