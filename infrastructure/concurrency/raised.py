"""What a foreign function raises, in a form that futures, coroutines and pipes take as an error and nothing else."""

import asyncio
import pickle
from typing import Any


def carried(error: BaseException) -> BaseException:
    """The error itself, or a RuntimeError in the place of one that means an ending to whoever awaits it: a future would never
    get a StopIteration, a coroutine would close at a GeneratorExit, a task would take a CancelledError for its own."""
    if isinstance(error, StopIteration | GeneratorExit | asyncio.CancelledError):
        return RuntimeError(f"the function raised {type(error).__name__}").with_traceback(error.__traceback__)
    return error


def sendable(error: BaseException) -> BaseException:
    """`carried`, for another process. One that can't be read there has an error of the same name in its place: reading it would
    fail, and end all that the process does."""
    error = carried(error)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # written a moment ago, by the same process
    except Exception:  # noqa: BLE001  # A foreign class may raise anything while it is written or read.
        return _Named(type(error).__module__, type(error).__qualname__).with_traceback(error.__traceback__)
    return error


class _Named(Exception):
    """An error on its way: what is read is an error of that name."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _error_named, self.args


def _error_named(module: str, name: str) -> Exception:
    error: Exception = type(name, (Exception,), {"__module__": module})("what it said can't be read in another process")
    return error
