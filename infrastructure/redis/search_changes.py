"""Tokens in Redis that change whenever a tenant's search results, or the layout of its indexes, may have changed.

Each is random, so that none is ever repeated: not after Redis has lost all it had, and not by a replica that took over.
"""

import secrets
from typing import Final, NamedTuple
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.redis import refusals
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection

KEPT_SECONDS: Final = 7 * 86_400
TOKEN_BYTES: Final = 12
_KEY = "bucatini:search:{what}:{tenant_id}"


class Tokens(NamedTuple):
    """What can be found, and in which indexes it lies."""

    visible: bytes
    layout: bytes


class SearchChanges:
    """Shared by all processes. Concurrent callers share one connection."""

    def __init__(self, redis: Redis) -> None:
        self._connection = RedisConnection(redis)

    async def tokens(self, tenant_id: UUID) -> Tokens | None:
        """The present ones; None when Redis can't be asked."""
        commands = []
        for key in (_visible(tenant_id), _layout(tenant_id)):
            # Whoever comes first says what it is; the others read it.
            commands += [("SET", key, secrets.token_bytes(TOKEN_BYTES), "NX", "EX", KEPT_SECONDS), ("GET", key)]
        try:
            _, visible, _, layout = await self._connection.ask(*commands)
        except FAULTS:
            return None
        return None if visible is None or layout is None else Tokens(visible, layout)

    async def changed(self, tenant_id: UUID, *, layout: bool = False) -> None:
        """Makes new ones, before whoever changed something says so. Unavailable when Redis can't be told: others may go on
        showing what they have kept."""
        keys = [_visible(tenant_id), *([_layout(tenant_id)] if layout else [])]
        try:
            await self._connection.ask(
                *(("SET", key, secrets.token_bytes(TOKEN_BYTES), "EX", KEPT_SECONDS) for key in keys)
            )
        except FAULTS as fault:
            raise Unavailable(f"{refusals.reason(fault)}; what is kept of searches can't be told to be old") from None

    async def remove(self, tenant_id: UUID) -> None:
        """As `changed`, for a tenant that has no index any more."""
        try:
            await self._connection.ask(("DEL", _visible(tenant_id)), ("DEL", _layout(tenant_id)))
        except FAULTS as fault:
            raise Unavailable(f"{refusals.reason(fault)}; what is kept of searches can't be told to be old") from None


def _visible(tenant_id: UUID) -> str:
    return _KEY.format(what="visible", tenant_id=tenant_id)


def _layout(tenant_id: UUID) -> str:
    return _KEY.format(what="layout", tenant_id=tenant_id)
