"""Rate limits per tenant and per key: requests per minute, over all API processes.

No request waits for Redis: each process decides by its local count. Every EXCHANGE_SECONDS it adds what it admitted to
the counts in Redis and reads the totals by the same command, so a caller may exceed its limit by what the processes admit
between two exchanges. While Redis is unavailable each process enforces the limit alone.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from math import ceil
from typing import Final, NamedTuple
from uuid import UUID

from api.auth.principal import Principal
from api.http.responses import Header
from infrastructure.concurrency.loops import Loop
from infrastructure.redis.client import Redis
from infrastructure.redis.rate_counts import exchange
from infrastructure.settings import Settings
from monitoring.metrics import ingress as ingress_metrics

WINDOW_SECONDS: Final = 60
EXCHANGE_SECONDS = 0.05
MAX_IN_AN_EXCHANGE = 2_000
MAX_REMEMBERED = 20_000
RATE_HEADERS: Final = "bucatini.rate"
"""The key in a request's scope that holds the rate limit headers of its response."""


class Limited(StrEnum):
    """What a limit is set on."""

    TENANT = "tenant"
    KEY = "key"


class Window:
    """A sliding window of one minute: the current minute's count plus the weighted count of the previous minute."""

    __slots__ = ("current", "index", "name", "pending", "previous")

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.current = self.previous = self.pending = 0

    def used(self, now: float) -> float:
        self.move_to(now)
        return self.previous * (1 - _elapsed(now) / WINDOW_SECONDS) + self.current + self.pending

    def free_in_seconds(self, now: float, limit: int) -> float:
        """Seconds until one more request fits, if nothing else is admitted meanwhile; 0 when it fits now."""
        if self.used(now) <= limit - 1:
            return 0.0
        elapsed, counted = _elapsed(now), self.current + self.pending
        if self.previous and counted <= limit - 1:
            return max(0.0, WINDOW_SECONDS * (1 - (limit - 1 - counted) / self.previous) - elapsed)
        return WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - (limit - 1) / max(counted, 1))

    def move_to(self, now: float) -> None:
        """Rolls over to the minute of `now`. Requests not yet added to Redis by then are counted in this process only."""
        index = int(now // WINDOW_SECONDS)
        if index != self.index:
            self.previous = self.current + self.pending if index == self.index + 1 else 0
            self.current = self.pending = 0
            self.index = index


def _elapsed(now: float) -> float:
    return now % WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request was admitted, by the limit that has the least left."""

    limited: Limited
    limit: int
    remaining: int
    wait_seconds: int
    """0 when it was admitted."""
    reset_seconds: int
    policy: bytes

    @property
    def headers(self) -> tuple[Header, ...]:
        """The fields of draft-ietf-httpapi-ratelimit-headers, and the three older ones it replaced."""
        left, until = self.remaining, self.wait_seconds or self.reset_seconds
        return (
            (b"ratelimit-policy", self.policy),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (self.limited.value.encode(), left, until)),
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % left),
            (b"ratelimit-reset", b"%d" % until),
        )


class _Limits(NamedTuple):
    """Requests a minute."""

    tenant: int
    key: int


@lru_cache(maxsize=1_000)
def _policy(limits: _Limits) -> bytes:
    named = {Limited.TENANT: limits.tenant, Limited.KEY: limits.key}
    return ", ".join(f'"{name}";q={limit};w={WINDOW_SECONDS}' for name, limit in named.items()).encode()


def _verdict(limited: Limited, remaining: int, limits: _Limits, now: float, wait_seconds: int = 0) -> Verdict:
    limit = limits.tenant if limited is Limited.TENANT else limits.key
    return Verdict(limited, limit, remaining, wait_seconds, ceil(WINDOW_SECONDS - _elapsed(now)), _policy(limits))


class RateLimits:
    """One per process. `clock` gives Unix seconds and must be shared by all processes, since it decides the current minute."""

    def __init__(self, settings: Settings, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._tenant_limit = settings.tenant_requests_per_minute
        self._key_limit = settings.key_requests_per_minute
        self._windows: OrderedDict[str, Window] = OrderedDict()
        self._unreported: set[Window] = set()
        self._counted = asyncio.Event()

    @property
    def loop(self) -> Loop:
        return Loop("rate limits", math.inf, self.exchange_counts, wake=self._counted)

    def used(self, tenant_id: UUID) -> int:
        """How many requests the tenant has made within the last minute, as far as this process knows."""
        return ceil(self._window(f"t:{tenant_id.hex}", now := self._clock()).used(now))

    def admit(self, principal: Principal, tenant_limit: int | None = None) -> Verdict:
        """Counts the request against its tenant and its key if both are below their limits. A refused one isn't counted.
        A tenant without a limit of its own has that of the settings."""
        now = self._clock()
        limits = _Limits(tenant_limit or self._tenant_limit, self._key_limit)
        tenant = self._window(f"t:{principal.tenant_id.hex}", now)
        key = self._window(_key_name(principal), now)
        tenant_left = limits.tenant - tenant.used(now)
        key_left = limits.key - key.used(now)
        if tenant_left < 1 or key_left < 1:
            return self._refused(tenant, key, limits, now)
        for window in (tenant, key):
            window.pending += 1
            self._unreported.add(window)
        self._counted.set()
        if tenant_left < key_left:
            return _verdict(Limited.TENANT, int(tenant_left) - 1, limits, now)
        return _verdict(Limited.KEY, int(key_left) - 1, limits, now)

    def _refused(self, tenant: Window, key: Window, limits: _Limits, now: float) -> Verdict:
        waits = {
            Limited.TENANT: tenant.free_in_seconds(now, limits.tenant),
            Limited.KEY: key.free_in_seconds(now, limits.key),
        }
        longest = max(waits, key=waits.__getitem__)
        ingress_metrics.request_limited(longest)
        return _verdict(longest, 0, limits, now, wait_seconds=max(1, ceil(waits[longest])))

    def _window(self, name: str, now: float) -> Window:
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = Window(name, int(now // WINDOW_SECONDS))
            if len(self._windows) > MAX_REMEMBERED:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(name)
        return window

    async def exchange_counts(self) -> float | None:
        """Adds what this process has counted to the shared counts, and learns the sums. Raises one of Redis's FAULTS: each
        process limits by its own counts then."""
        await asyncio.sleep(EXCHANGE_SECONDS)
        now = self._clock()
        index = int(now // WINDOW_SECONDS)
        reported: dict[str, int] = {}
        windows: dict[str, Window] = {}
        while self._unreported and len(reported) < MAX_IN_AN_EXCHANGE:
            window = self._unreported.pop()
            window.move_to(now)
            if window.pending:
                # Counted locally even if the exchange fails because Redis is unavailable.
                reported[window.name] = window.pending
                windows[window.name] = window
                window.current += window.pending
                window.pending = 0
        if not reported:
            return None
        sums = await exchange(self._redis, index, reported, window_seconds=WINDOW_SECONDS)
        for name, (current, previous) in sums.items():
            window = windows[name]
            if window.index == index:
                window.current = max(window.current, current)
                window.previous = max(window.previous, previous)
        return 0.0 if self._unreported else None


def _key_name(principal: Principal) -> str:
    if principal.key_id:
        return f"k:{principal.key_id}"
    # An OIDC subject is often an e-mail address, so only its hash goes to Redis.
    return f"s:{blake2b(principal.tenant_id.bytes + principal.subject.encode(), digest_size=12).hexdigest()}"
