"""Ends long-lived responses, such as streams, when their key is revoked or their token expires."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from api.auth.principal import Principal
from infrastructure.concurrency.loops import Loop

CHECK_SECONDS = 1.0
"""Between two checks of the keys in use: one statement for all of them."""

FindKeys = Callable[[Sequence[str]], Awaitable[Sequence[object | None]]]
"""Looks up keys by id in PostgreSQL; None for one that is revoked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    principal: Principal
    on_invalid: Callable[[], None]


class PrincipalWatch:
    """One per process, checked by its `loop`. It queries only while a long-lived response is open."""

    def __init__(self, find_keys: FindKeys) -> None:
        self._find_keys = find_keys
        self._by_key: dict[str, set[_Watched]] = {}

    @property
    def loop(self) -> Loop:
        return Loop("key revocation", CHECK_SECONDS, self.check)

    @contextmanager
    def while_valid(self, principal: Principal, on_invalid: Callable[[], None]) -> Iterator[None]:
        """Calls `on_invalid` at most once, while the block runs, when the key is revoked or the token expires."""
        watched = _Watched(principal, on_invalid)
        self._by_key.setdefault(principal.key_id, set()).add(watched)
        try:
            yield
        finally:
            self._forget(watched)

    def revoked(self, key_id: str) -> None:
        """Ends every open response of a revoked key."""
        for watched in list(self._by_key.get(key_id, ())):
            self._end(watched)

    async def check(self) -> None:
        """Ends the open responses of expired tokens and revoked keys. Raises Unavailable or Overloaded while PostgreSQL can't
        say which keys are revoked: nothing stored can be read then either."""
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
