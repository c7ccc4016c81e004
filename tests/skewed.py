"""`python -m tests.skewed SECONDS MODULE [ARGUMENT …]`: runs a module on a wall clock that is so many seconds ahead.

What measures time (`time.monotonic`) stays as it is, as on a machine whose clock somebody set wrong.
"""

import datetime as dt
import runpy
import sys
import time
from datetime import datetime as real
from typing import Any


def skew(seconds: float) -> None:
    """From now on this process's wall clock is that much ahead. Call it before anything else is imported."""
    real_time, real_time_ns = time.time, time.time_ns
    shift = dt.timedelta(seconds=seconds)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

    class Skewed(real, metaclass=AnyDatetime):
        def __new__(cls, *given: Any, **named: Any) -> real:  # type: ignore[misc]  # orjson writes no subclass
            return real(*given, **named)  # noqa: DTZ001  # as whoever calls it says

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> real:  # type: ignore[override]  # any of them
            return real.now(tz) + shift

    dt.datetime = Skewed  # type: ignore[misc]  # for whoever imports it from now on
    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + int(seconds * 1_000_000_000)


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
