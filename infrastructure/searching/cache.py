"""What searches answered, for as long as their tenant's index answers the same.

An answer is kept under the mark of what was visible when it was looked for, read before the engine was asked. Whatever changes
what the tenant may find changes that mark, so nothing has to be removed: what is old is found no more, and goes when room is
needed. It is kept in the process, encoded: a hit costs one decoding, and its size is known. Nothing is shared through
Redis: docs/decisions/0043 says why.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from infrastructure.concurrency.shared_fetches import SharedFetches
from infrastructure.ports.searching import SearchReport
from schemas.search import SearchResults

MAX_BYTES: Final = 32_000_000
MAX_ANSWER_BYTES: Final = 500_000
KEPT_SECONDS: Final = 120.0
ENTRY_BYTES: Final = 600
"""What keeping an answer takes beside its text."""


class Asked(NamedTuple):
    """A search: whose, of what was visible, and which."""

    tenant_id: UUID
    visible: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    results: SearchResults
    """Without `next_cursor`: each who asks gets one of their own."""
    after: bytes | None
    corrected: str | None = None
    """The text whose hits these are, where it isn't the one that was asked for."""


@dataclass(frozen=True, slots=True)
class _Kept:
    results: bytes = field(repr=False)
    after: bytes | None = field(repr=False)
    corrected: str | None = field(repr=False)
    until: float

    @property
    def size(self) -> int:
        return len(self.results) + len(self.after or b"") + len(self.corrected or "") + ENTRY_BYTES


class ResultCache:
    """Of one process. Equal searches at the same time are one."""

    def __init__(
        self,
        report: SearchReport,
        *,
        max_bytes: int = MAX_BYTES,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._max_bytes = max_bytes
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._kept: OrderedDict[Asked, _Kept] = OrderedDict()
        self._bytes = 0
        self._under_way: SharedFetches[Asked] = SharedFetches()

    @property
    def size_bytes(self) -> int:
        return self._bytes

    async def get(self, asked: Asked, search: Callable[[], Coroutine[Any, Any, Answered]]) -> Answered:
        """What is kept; or what `search` returns, which is kept then. Its error goes to all who asked the same meanwhile."""
        if (kept := self._fresh(asked)) is not None:
            self._report.looked_up("hit")
            return Answered(SearchResults.model_validate_json(kept.results), kept.after, kept.corrected)
        began = False

        async def searched() -> Answered:
            nonlocal began
            began = True
            answered = await search()
            self._keep(asked, answered)
            return answered

        try:
            return await self._under_way.get(asked, searched)
        finally:
            self._report.looked_up("miss" if began else "shared")

    def _fresh(self, asked: Asked) -> _Kept | None:
        kept = self._kept.get(asked)
        if kept is None:
            return None
        if self._clock() >= kept.until:
            self._remove(asked)
            return None
        self._kept.move_to_end(asked)
        return kept

    def _keep(self, asked: Asked, answered: Answered) -> None:
        encoded = answered.results.model_dump_json(exclude_defaults=True).encode()
        kept = _Kept(encoded, answered.after, answered.corrected, self._clock() + self._kept_seconds)
        if kept.size > min(MAX_ANSWER_BYTES, self._max_bytes):
            return
        self._remove(asked)
        self._kept[asked] = kept
        self._bytes += kept.size
        while self._bytes > self._max_bytes:
            self._remove(next(iter(self._kept)))

    def _remove(self, asked: Asked) -> None:
        if (kept := self._kept.pop(asked, None)) is not None:
            self._bytes -= kept.size
