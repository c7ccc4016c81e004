"""The sliding window, and what a process decides by its local count."""

import asyncio
from collections import deque
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from api.auth.principal import Principal
from api.rate_limits import WINDOW_SECONDS, Limited, RateLimits, Verdict, Window
from infrastructure.redis.client import connect
from infrastructure.settings import Settings

CALLER = Principal(uuid4(), "key", frozenset())


@given(st.lists(st.floats(0, 40), max_size=200), st.integers(1, 20))
def test_no_minute_has_many_more_than_the_limit_and_a_caller_that_waits_is_admitted(
    pauses: list[float], limit: int
) -> None:
    """The weighted count of the previous minute is an estimate: it is off when requests came unevenly in that minute."""
    now = 1_000.0
    window = Window("t", int(now // WINDOW_SECONDS))
    admitted: deque[float] = deque()
    for pause in pauses:
        now += pause
        wait = window.free_in_seconds(now, limit)
        if wait:
            later = now + wait + 1e-6
            probe = Window("t", window.index)
            probe.previous, probe.current, probe.pending = window.previous, window.current, window.pending
            assert probe.free_in_seconds(later, limit) < 1e-3
            continue
        window.pending += 1
        admitted.append(now)
        while admitted[0] <= now - WINDOW_SECONDS:
            admitted.popleft()
        assert len(admitted) < 2 * limit
        assert sum(one // WINDOW_SECONDS == now // WINDOW_SECONDS for one in admitted) <= limit


def test_the_remaining_requests_are_reported_until_none_is_left() -> None:
    verdicts = _ask(5, tenant=10, key=3)

    assert [(one.limited, one.remaining, bool(one.wait_seconds)) for one in verdicts] == [
        (Limited.KEY, 2, False),
        (Limited.KEY, 1, False),
        (Limited.KEY, 0, False),
        (Limited.KEY, 0, True),
        (Limited.KEY, 0, True),
    ]
    assert dict(verdicts[0].headers) == {
        b"ratelimit-policy": b'"tenant";q=10;w=60, "key";q=3;w=60',
        b"ratelimit": b'"key";r=2;t=50',
        b"ratelimit-limit": b"3",
        b"ratelimit-remaining": b"2",
        b"ratelimit-reset": b"50",
    }


def test_the_tenants_limit_holds_for_all_its_keys_together() -> None:
    async def ask() -> list[Limited]:
        limits = _limits(tenant=4, key=3)
        callers = [Principal(CALLER.tenant_id, key_id, frozenset()) for key_id in ("a", "b", "c", "a", "b")]
        found = [limits.admit(principal) for principal in callers]
        return [one.limited for one in found if one.wait_seconds]

    assert asyncio.run(ask()) == [Limited.TENANT]


@pytest.mark.parametrize(("tenant", "key"), [(1, 1), (5, 2)])
def test_a_refusal_counts_nothing(tenant: int, key: int) -> None:
    assert sum(not one.wait_seconds for one in _ask(50, tenant=tenant, key=key)) == min(tenant, key)


def _ask(times: int, *, tenant: int, key: int) -> list[Verdict]:
    async def ask() -> list[Verdict]:
        limits = _limits(tenant=tenant, key=key)
        return [limits.admit(CALLER) for _ in range(times)]

    return asyncio.run(ask())


def _limits(*, tenant: int, key: int) -> RateLimits:
    settings = Settings(database_url=SecretStr("none"), tenant_requests_per_minute=tenant, key_requests_per_minute=key)
    return RateLimits(settings, connect("redis://127.0.0.1:1/0"), clock=lambda: 70.0)
