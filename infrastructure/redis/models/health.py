"""How the providers are, by the last free call of each: one worker at a time makes them, and all read of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from infrastructure.redis.client import Redis
from infrastructure.redis.connection import RedisConnection

HEALTH: Final = "bucatini:models:health"
LEASE: Final = "bucatini:models:health:lease"
CHECK_SECONDS: Final = 30.0
LEASE_SECONDS: Final = 28
"""Less than the pause between two checks, so that who checks goes on to."""
KEPT_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    keyed: bool
    """Whether the deployment has a key for it, or it needs none. Without one it isn't called."""
    ok: bool | None = None
    """None: not called yet."""
    seconds: float | None = None
    error_class: str | None = None
    detail: str = ""
    checked_at: float = 0.0
    """Seconds of the Unix epoch, by Redis's clock."""


class SharedHealth:
    """Raises one of the client's FAULTS while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._connection = RedisConnection(redis)

    async def may_check(self) -> bool:
        """Whether this process is the one that checks now."""
        (taken,) = await self._connection.ask(("SET", LEASE, "1", "NX", "PX", 1_000 * LEASE_SECONDS))
        return taken is not None

    async def read(self) -> dict[str, ProviderHealth]:
        (found,) = await self._connection.ask(("HGETALL", HEALTH))
        return health_in(pairs_of(found))

    async def write(self, found: Mapping[str, ProviderHealth]) -> None:
        """With the present time as that of each check."""
        ((seconds, _),) = await self._connection.ask(("TIME",))
        fields: list[str | bytes] = []
        for provider, health in found.items():
            fields += [provider, orjson.dumps({**asdict(health), "checked_at": float(seconds)})]
        await self._connection.ask(("DEL", HEALTH), ("HSET", HEALTH, *fields), ("EXPIRE", HEALTH, KEPT_SECONDS))


def pairs_of(reply: Any) -> dict[bytes, bytes]:
    """What HGETALL found, whichever protocol the connection speaks."""
    return dict(reply) if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def health_in(fields: Mapping[bytes, bytes]) -> dict[str, ProviderHealth]:
    """What the hash HEALTH says of each provider."""
    found: dict[str, ProviderHealth] = {}
    for provider, written in fields.items():
        values: dict[str, Any] = orjson.loads(written)
        # Another release may say more.
        known = {name: values[name] for name in ProviderHealth.__slots__ if name in values}
        found[provider.decode()] = ProviderHealth(**known)
    return found
