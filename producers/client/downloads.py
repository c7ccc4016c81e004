"""Reads a stored content across broken connections, without a socket: see `producers.client.exchange`."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

from producers.client.errors import BucatiniError, TargetUnwritable, Unreachable, UnreadableResponse
from producers.client.exchange import DOWN_SECONDS, PASSING_STATUSES, PATIENCE_SECONDS, Reply, pause_seconds, refusal

Target = os.PathLike[str] | BinaryIO

PARTIAL: Final = 206


class Downloading:
    """One content or a part of it, gone on with where a connection broke. `over` once all of it has come."""

    def __init__(
        self, path: str, *, start: int = 0, end: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """From byte `start` until before byte `end`."""
        self.path = path
        self.over = end is not None and end <= start
        self.received_bytes = 0
        self._start, self._end = start, end
        self._etag: str | None = None
        self._clock = clock
        self._failures = 0
        self._heard_at = clock()
        self._patience_seconds = DOWN_SECONDS

    @property
    def headers(self) -> Mapping[str, str]:
        # As it is stored: a part of what was compressed on the way couldn't be gone on with.
        headers = {"accept": "*/*", "accept-encoding": "identity"}
        position = self._start + self.received_bytes
        if position or self._end is not None:
            headers["range"] = f"bytes={position}-{'' if self._end is None else self._end - 1}"
        if self._etag is not None and self.received_bytes:
            headers["if-range"] = self._etag
        return headers

    def answered(self, reply: Reply) -> bool:
        """Whether the bytes that were asked for come. ProblemAnswer when they never will."""
        if reply.status < 400:
            if self.received_bytes and reply.status != PARTIAL:
                raise UnreadableResponse(f"{self.path} has changed while it was read: read it again, or name a version")
            self._etag = reply.headers.get("etag")
            self._heard()
            return True
        if reply.status not in PASSING_STATUSES:
            raise refusal(reply)
        self._patience_seconds = PATIENCE_SECONDS
        return False

    def take(self, chunk: bytes) -> bytes:
        self.received_bytes += len(chunk)
        self._heard()
        return chunk

    def end(self) -> None:
        self.over = True

    def closed(self, error: Exception | None = None) -> float:
        """What to wait before the next connection. Unreachable when there was none for too long."""
        left = self._heard_at + self._patience_seconds - self._clock()
        if left < 0:
            raise Unreachable(f"GET {self.path}: no connection ({error or 'it is refused each time'})")
        self._failures += 1
        return min(pause_seconds(self._failures), left)

    def _heard(self) -> None:
        self._heard_at = self._clock()
        self._patience_seconds = PATIENCE_SECONDS
        self._failures = 0


@contextmanager
def written(target: Target) -> Iterator[BinaryIO]:
    """What to write to. A path has its file once all was written, and otherwise what it had before."""
    if not isinstance(target, os.PathLike):
        yield target
        return
    path = Path(target)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except BucatiniError:
        raise
    except OSError as error:
        raise TargetUnwritable(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
