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

CHECK_SECONDS = 1.0
"""Between two checks of the keys in use: one statement for all of them."""

FindKeys = Callable[[Sequence[str]], Awaitable[Sequence[object | None]]]
"""Looks up keys by id in PostgreSQL; None for one that is revoked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    principal: Principal
    on_invalid: Callable[[], None]


class PrincipalWatch:
    """One per process. It queries only while a long-lived response is open."""

    def __init__(self, find_keys: FindKeys) -> None:
        self._find_keys = find_keys
        self._by_key: dict[str, set[_Watched]] = {}
        self._checking: asyncio.Task[None] | None = None

    @contextmanager
    def while_valid(self, principal: Principal, on_invalid: Callable[[], None]) -> Iterator[None]:
        """Calls `on_invalid` at most once, while the block runs, when the key is revoked or the token expires."""
        watched = _Watched(principal, on_invalid)
        self._by_key.setdefault(principal.key_id, set()).add(watched)
        if self._checking is None:
            self._checking = asyncio.create_task(self._check_while_watched(), name="key revocation watch")
        try:
            yield
        finally:
            self._forget(watched)

    def revoked(self, key_id: str) -> None:
        """Ends every open response of a revoked key."""
        for watched in list(self._by_key.get(key_id, ())):
            self._end(watched)

    async def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])

    async def _check_while_watched(self) -> None:
        try:
            while self._by_key:
                await asyncio.sleep(CHECK_SECONDS)
                try:
                    await self._check()
                except (Unavailable, Overloaded):
                    # PostgreSQL is unavailable, so nothing stored can be read either. The next check decides.
                    continue
                except Exception:  # The loop's edge: one failed check must not be the last.
                    logger.exception("key revocation check failed; trying again")
        finally:
            self._checking = None

    async def _check(self) -> None:
        for watched in [one for some in self._by_key.values() for one in some if one.principal.expired]:
            self._end(watched)
        keys = [key_id for key_id in self._by_key if key_id]
        if not keys:
            return
        for key_id, found in zip(keys, await self._find_keys(keys), strict=True):
            if found is None:
                self.revoked(key_id)

    def _end(self, watched: _Watched) -> None:
        self._forget(watched)
        watched.on_invalid()

    def _forget(self, watched: _Watched) -> None:
        some = self._by_key.get(watched.principal.key_id, set())
        some.discard(watched)
        if not some:
            self._by_key.pop(watched.principal.key_id, None)
