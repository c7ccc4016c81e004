"""Ends long-lived responses, such as streams, when their key is revoked or their token expires."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from api.auth.principal import Principal
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two checks of the keys in use: one statement for all of them."""

StandingOf = Callable[[Sequence[str]], Awaitable[Sequence[object | None]]]
"""Looks up keys by id in PostgreSQL; None for one that is revoked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    principal: Principal
    on_fall: Callable[[], None]


class CallerWatch:
    """One per process. It queries only while a long-lived response is open."""

    def __init__(self, standing_of: StandingOf) -> None:
        self._standing_of = standing_of
        self._by_key: dict[str, set[_Watched]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def until_fallen(self, principal: Principal, on_fall: Callable[[], None]) -> Iterator[None]:
        """Calls `on_fall` at most once, while the block runs, when the key is revoked or the token expires."""
        watched = _Watched(principal, on_fall)
        self._by_key.setdefault(principal.key_id, set()).add(watched)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_while_wanted(), name="key revocation watch")
        try:
            yield
        finally:
            self._forget(watched)

    def fell(self, key_id: str) -> None:
        """Ends every open response of a revoked key."""
        for watched in list(self._by_key.get(key_id, ())):
            self._end(watched)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_while_wanted(self) -> None:
        try:
            while self._by_key:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    await self._look()
                except (Unavailable, Overloaded):
                    # PostgreSQL is unavailable, so nothing stored can be read either. The next check decides.
                    continue
                except Exception:  # The loop's edge: one failed check must not be the last.
                    logger.exception("key revocation check failed; trying again")
        finally:
            self._looking = None

    async def _look(self) -> None:
        for watched in [one for some in self._by_key.values() for one in some if one.principal.expired]:
            self._end(watched)
        keys = [key_id for key_id in self._by_key if key_id]
        if not keys:
            return
        for key_id, standing in zip(keys, await self._standing_of(keys), strict=True):
            if standing is None:
                self.fell(key_id)

    def _end(self, watched: _Watched) -> None:
        self._forget(watched)
        watched.on_fall()

    def _forget(self, watched: _Watched) -> None:
        some = self._by_key.get(watched.principal.key_id, set())
        some.discard(watched)
        if not some:
            self._by_key.pop(watched.principal.key_id, None)
