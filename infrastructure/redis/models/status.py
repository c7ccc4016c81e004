"""What Redis knows of all models and providers at a moment, in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infrastructure.ports.ai.response import UNKNOWN_LIMITS, RateLimits
from infrastructure.redis import refusals
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.models.breakers import key_of as breaker_key
from infrastructure.redis.models.health import HEALTH, ProviderHealth, health_in, pairs_of
from infrastructure.redis.models.reservations import limits_in, limits_key

BREAKER_FIELDS = ("failures", "open_until", "lease", "lease_until", "last_error")


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    state: str
    """`closed`, `open` or `half_open`."""
    retry_at: float | None
    """Seconds of the Unix epoch, by Redis's clock, when an open one lets a call through."""
    failures: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class ModelsStatus:
    now: float
    """Seconds of the Unix epoch, by Redis's clock."""
    health: Mapping[str, ProviderHealth]
    limits: Mapping[str, RateLimits]
    """By provider."""
    breakers: Mapping[tuple[str, str], BreakerStatus]
    """By provider and model."""
    why_unknown: str = ""
    """Why nothing of all this is known, such as that Redis is away; empty when it is."""


async def models_status(
    redis: Redis, keys: Mapping[str, str], models: Iterable[tuple[str, str]], now: float
) -> ModelsStatus:
    """Of these models, and of the providers' keys with these ids. While Redis is away nothing is known, at the time `now`."""
    models = tuple(models)
    try:
        time, health, *rest = await RedisConnection(redis).ask(
            ("TIME",),
            ("HGETALL", HEALTH),
            *(("HGETALL", limits_key(provider, key_id)) for provider, key_id in keys.items()),
            *(("HMGET", breaker_key(*model), *BREAKER_FIELDS) for model in models),
        )
    except FAULTS as fault:
        closed = BreakerStatus("closed", None, 0, None)
        unlimited = dict.fromkeys(keys, UNKNOWN_LIMITS)
        return ModelsStatus(now, {}, unlimited, dict.fromkeys(models, closed), refusals.reason(fault))
    now = int(time[0]) + int(time[1]) / 1_000_000
    limits, breakers = rest[: len(keys)], rest[len(keys) :]
    return ModelsStatus(
        now,
        health_in(pairs_of(health)),
        {provider: limits_in(pairs_of(found), now).limits for provider, found in zip(keys, limits, strict=True)},
        {model: _breaker(found, now) for model, found in zip(models, breakers, strict=True)},
    )


def _breaker(found: Sequence[bytes | None], now: float) -> BreakerStatus:
    failures, open_until, lease, lease_until, last_error = found
    opened, probing = float(open_until or 0) / 1_000, float(lease_until or 0) / 1_000 if lease else 0.0
    error = None if last_error is None else last_error.decode()
    if not opened:
        return BreakerStatus("closed", None, int(failures or 0), error)
    half_open = now >= opened
    return BreakerStatus("half_open" if half_open else "open", max(opened, probing), int(failures or 0), error)
