"""`python -m tests.skewed SECONDS MODULE [ARGUMENT …]`: runs a module on a wall clock that is so many seconds ahead.

What measures time (`time.monotonic`) stays as it is, as on a machine whose clock somebody set wrong.
"""

import datetime as dt
import runpy
import sys
import time
from datetime import datetime as real
from importlib import import_module
from typing import Any


def skew(seconds: float) -> None:
    """From now on this process's wall clock is that much ahead. Call it before anything else is imported."""
    # It makes its times by `datetime.datetime` as it finds it, and wants them to be of that class.
    import_module("tantivy")
    real_time, real_time_ns = time.time, time.time_ns
    shift = dt.timedelta(seconds=seconds)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __call__(cls, *given: Any, **named: Any) -> real:
            # Not one of a subclass, which orjson refuses to write.
            return real(*given, **named)  # noqa: DTZ001  # as whoever calls it says

    class Skewed(real, metaclass=AnyDatetime):
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
