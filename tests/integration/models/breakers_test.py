"""A model's breaker is one for all processes, lets one probe through, and needs no Redis to protect a process."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure.local_stack.servers.redis import redis_server
from infrastructure.ports.ai.breakers import Admission, Gate
from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    BadRequest,
    ContentRefused,
    Failure,
    ModelError,
    Overloaded,
    Phase,
    QuotaExhausted,
    Throttled,
    TimedOut,
)
from infrastructure.redis import client
from infrastructure.redis.models import breakers
from infrastructure.redis.models.breakers import HALF_OPEN, SharedBreakers
from infrastructure.redis.models.local_breaker import LocalBreaker, Rules
from tests.waiting import GUARD_SECONDS

MODEL = ("openai", "gpt-6-luna")
QUICK = Rules(open_seconds=0.05, max_open_seconds=0.4, lease_seconds=0.1)
LEISURELY = replace(QUICK, lease_seconds=GUARD_SECONDS)
OVERLOADED = Overloaded("overloaded", Failure(*MODEL))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def a_patient_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a reply may take long, and Redis isn't away for that."""
    monkeypatch.setattr(breakers, "PATIENCE_SECONDS", GUARD_SECONDS)


@asynccontextmanager
async def breakers_of(redis_url: str, count: int, rules: Rules = QUICK) -> AsyncIterator[list[SharedBreakers]]:
    """Each with a connection of its own, as in a process of its own."""
    async with AsyncExitStack() as stack:
        clients = [client.connect(redis_url) for _ in range(count)]
        for each in clients:
            stack.push_async_callback(each.aclose)
        yield [SharedBreakers(each, rules=rules) for each in clients]


async def fail(one: SharedBreakers, error: ModelError = OVERLOADED, times: int = 5) -> None:
    for _ in range(times):
        await one.failed(await one.admit(*MODEL), error)


async def await_true(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(0)


async def await_half_open(one: SharedBreakers) -> None:
    async def is_so() -> bool:
        return (await one.reading(*MODEL)).gate == HALF_OPEN

    await await_true(is_so)


async def probe_of(one: SharedBreakers) -> Admission:
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            if (admission := await one.admit(*MODEL)).allowed:
                return admission
            await asyncio.sleep(0)


@pytest.mark.anyio
async def test_five_failures_in_a_row_open_it_for_every_process(redis_url: str) -> None:
    async with breakers_of(redis_url, 6, replace(QUICK, open_seconds=GUARD_SECONDS)) as processes:
        admissions = [await each.admit(*MODEL) for each in processes]
        assert all(one.gate is Gate.CLOSED for one in admissions)
        for each, admission in zip(processes[:5], admissions, strict=False):
            assert (await each.reading(*MODEL)).gate == Gate.CLOSED
            await each.failed(admission, OVERLOADED)

        async def is_open() -> bool:
            return not (await processes[5].admit(*MODEL)).allowed

        await await_true(is_open)
        assert 0 < (await processes[5].admit(*MODEL)).retry_after_seconds <= GUARD_SECONDS
        assert (await processes[5].admit("openai", "gpt-6.1-sol")).allowed, "another model of the provider"


@pytest.mark.anyio
async def test_a_success_between_failures_begins_the_count_anew(redis_url: str) -> None:
    async with breakers_of(redis_url, 2) as (one, other):
        await fail(one, times=4)
        await other.succeeded(await other.admit(*MODEL))
        await fail(one, times=4)
        assert (await one.reading(*MODEL)).gate == Gate.CLOSED
        assert (await one.reading(*MODEL)).failures == 4


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error",
    [
        kind("no", Failure(*MODEL))
        for kind in (Throttled, QuotaExhausted, AuthenticationRefused, BadRequest, ContentRefused)
    ],
    ids=lambda error: error.error_class,
)
async def test_what_concerns_a_key_or_a_request_never_opens_it(redis_url: str, error: ModelError) -> None:
    async with breakers_of(redis_url, 1) as (one,):
        await fail(one, error, times=20)
        assert (await one.reading(*MODEL)).failures == 0


@pytest.mark.anyio
async def test_a_stalled_stream_counts(redis_url: str) -> None:
    async with breakers_of(redis_url, 1) as (one,):
        await fail(one, TimedOut("slow", Failure(*MODEL), Phase.IDLE))
        assert (await one.reading(*MODEL)).opens == 1


@pytest.mark.anyio
async def test_one_probe_goes_through_among_twenty_processes_and_closes_it_for_all(redis_url: str) -> None:
    async with breakers_of(redis_url, 20, LEISURELY) as processes:
        await fail(processes[0])
        await await_half_open(processes[0])

        admissions = [
            one for _ in range(3) for one in await asyncio.gather(*(each.admit(*MODEL) for each in processes))
        ]
        (probe,) = [one for one in admissions if one.allowed]
        assert probe.gate is Gate.PROBE

        await processes[7].succeeded(probe)

        async def all_closed() -> bool:
            return all([(await each.admit(*MODEL)).gate is Gate.CLOSED for each in processes])

        await await_true(all_closed)


@pytest.mark.anyio
async def test_a_probe_that_was_given_up_leaves_it_to_the_next(redis_url: str) -> None:
    async with breakers_of(redis_url, 2, LEISURELY) as (one, other):
        await fail(one)
        await one.abandoned(await probe_of(one))
        assert (await probe_of(other)).gate is Gate.PROBE


@pytest.mark.anyio
async def test_the_probe_of_a_process_that_died_runs_out(redis_url: str) -> None:
    async with breakers_of(redis_url, 2, replace(QUICK, lease_seconds=1)) as (dying, other):
        await fail(dying)
        assert (await probe_of(dying)).gate is Gate.PROBE
        assert not (await other.admit(*MODEL)).allowed
        assert (await probe_of(other)).gate is Gate.PROBE


@pytest.mark.anyio
async def test_it_stays_open_longer_each_time_and_no_longer_than_the_limit(redis_url: str) -> None:
    waits: list[float] = []
    async with breakers_of(redis_url, 1) as (one,):
        await fail(one)
        for _ in range(6):
            waits.append((await one.reading(*MODEL)).retry_seconds)
            await one.failed(await probe_of(one), OVERLOADED)
        assert (await one.reading(*MODEL)).opens == 7
    assert waits[0] <= QUICK.open_seconds
    assert waits[2] > 2 * QUICK.open_seconds
    assert all(wait <= QUICK.max_open_seconds for wait in waits)


@pytest.mark.anyio
async def test_without_redis_a_process_protects_itself() -> None:
    async with breakers_of("redis://127.0.0.1:9/0", 1, LEISURELY) as (alone,):
        assert (await alone.admit(*MODEL)).gate is Gate.CLOSED
        await fail(alone)
        assert (await alone.admit(*MODEL)).gate is Gate.OPEN
        probe = await probe_of(alone)
        assert probe.gate is Gate.PROBE
        assert not (await alone.admit(*MODEL)).allowed
        await alone.succeeded(probe)
        assert (await alone.admit(*MODEL)).gate is Gate.CLOSED


@pytest.mark.anyio
async def test_what_all_knew_counts_when_redis_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "KNOWN_SECONDS", 0.0)
    with ExitStack() as stack:
        url = stack.enter_context(redis_server(tmp_path / "redis")).url
        async with breakers_of(url, 2, replace(QUICK, open_seconds=GUARD_SECONDS, max_open_seconds=900)) as (
            one,
            other,
        ):
            await fail(one)
            assert not (await other.admit(*MODEL)).allowed
            stack.close()
            assert not (await other.admit(*MODEL)).allowed
            assert (await other.admit("openai", "gpt-6.1-sol")).allowed


@pytest.mark.anyio
async def test_a_redis_that_forgets_everything_costs_no_call(redis_url: str) -> None:
    async with breakers_of(redis_url, 1) as (one,):
        admission = await one.admit(*MODEL)
        redis = client.connect(redis_url)
        await redis.flushall()
        await redis.script_flush()
        await redis.aclose()
        await one.failed(admission, OVERLOADED)
        assert (await one.reading(*MODEL)).failures == 1


@pytest.mark.anyio
async def test_a_decision_takes_less_than_a_millisecond(redis_url: str) -> None:
    seconds: list[float] = []
    async with breakers_of(redis_url, 1) as (one,):
        for _ in range(2_000):
            began_at = time.perf_counter()
            await one.admit(*MODEL)
            seconds.append(time.perf_counter() - began_at)
    assert statistics.median(seconds) < 0.001
    p99 = statistics.quantiles(seconds, n=100)[98]
    print(f"a breaker's decision: p50 {1e6 * statistics.median(seconds):.0f} us, p99 {1e6 * p99:.0f} us")


def test_a_calm_time_is_followed_by_the_shortest_wait() -> None:
    breaker = LocalBreaker(Rules(open_seconds=1, max_open_seconds=100, calm_seconds=600))
    now = 0.0
    for expected in (1, 2, 4):
        while breaker.open_until is None:
            breaker.failed(Gate.CLOSED, now)
        assert breaker.admit(now) == (Gate.OPEN, expected)
        now += expected
        assert breaker.admit(now) == (Gate.PROBE, 0)
        breaker.succeeded(Gate.PROBE, now)
    now += 601
    for _ in range(5):
        breaker.failed(Gate.CLOSED, now)
    assert breaker.admit(now) == (Gate.OPEN, 1)
