"""What is sent, what was used and what it costs: ours beside the simulated provider's own journal and ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from infrastructure.model_registry.pricing import price_of
from infrastructure.ports.ai.errors import BadRequest, ModelError
from infrastructure.ports.ai.request import Lane, ModelRequest, Passage, user
from infrastructure.ports.ai.response import Finished, UsageReported
from tests.simulated_providers import ANTHROPIC, OPENAI, Simulated, SimulatedProviders, simulated

pytestmark = pytest.mark.anyio

DAY = date(2026, 11, 30)
LONG = "A clause that every contract of the house begins with. " * 200


@pytest.fixture(params=[OPENAI, ANTHROPIC])
async def priced(
    request: pytest.FixtureRequest, simulator: SimulatedProviders, tmp_path: Path
) -> AsyncIterator[Simulated]:
    """One whose prices the simulator knows too."""
    one = simulated(request.param, simulator.url, tmp_path)
    yield one
    await one.provider.close()


def _request(one: Simulated, text: str = "What does the contract say?", **fields: object) -> ModelRequest:
    return ModelRequest(one.model, (user(text),), 200, **fields)  # type: ignore[arg-type]


async def _price_of_a_call(one: Simulated, request: ModelRequest, *, streamed: bool) -> Decimal:
    if streamed:
        async with aclosing(one.provider.stream(request)) as events:
            finished = [event async for event in events if isinstance(event, Finished)]
        response = finished[0].response
    else:
        response = await one.provider.complete(request)
    price = price_of(response.usage.counts, one.registry.prices(one.model), response.served_tier, DAY)
    assert price is not None
    return price.dollars


async def test_our_prices_add_up_to_the_providers_own_bill(priced: Simulated, simulator: SimulatedProviders) -> None:
    system = (Passage(LONG, cache_after=True), Passage("Answer in English."))
    ours = Decimal(0)
    for streamed in (False, True, False):
        for number in range(3):
            request = _request(priced, f"Question {number}, asked anew.", system=system)
            ours += await _price_of_a_call(priced, request, streamed=streamed)

    assert ours == await asyncio.to_thread(simulator.charged, priced.key) > 0
    attempts = await asyncio.to_thread(simulator.ended, priced.key)
    assert attempts[0]["cache_write_tokens"] > 1_000
    assert attempts[-1]["cache_read_tokens"] > 1_000


async def test_a_cheaper_lane_costs_what_was_served(simulator: SimulatedProviders, tmp_path: Path) -> None:
    one = simulated(OPENAI, simulator.url, tmp_path)
    dear = await _price_of_a_call(one, _request(one), streamed=False)
    cheap = await _price_of_a_call(one, _request(one, lane=Lane.FLEX), streamed=False)
    await one.provider.close()

    assert cheap == dear / 2
    assert dear + cheap == await asyncio.to_thread(simulator.charged, one.key)


async def test_a_stream_that_failed_or_was_given_up_still_tells_what_it_used(
    simulator: SimulatedProviders, tmp_path: Path
) -> None:
    one = simulated(ANTHROPIC, simulator.url, tmp_path)
    simulator.fault(one.key, "error_in_stream", after_tokens=5)
    with pytest.raises(ModelError) as failed:
        await _price_of_a_call(one, _request(one), streamed=True)
    async with aclosing(one.provider.stream(_request(one))) as events:
        async for event in events:
            if isinstance(event, UsageReported):
                break
    await one.provider.close()

    (broken, _) = await asyncio.to_thread(simulator.ended, one.key)
    counts = failed.value.failure.usage.counts
    assert counts is not None
    assert counts.input_tokens == broken["input_tokens"] > 0
    assert await asyncio.to_thread(simulator.charged, one.key) > 0


@pytest.mark.parametrize("fault", ["wrong_usage", "missing_usage"])
async def test_usage_that_cant_be_is_unknown_and_has_no_price(
    one: Simulated, simulator: SimulatedProviders, fault: str
) -> None:
    simulator.fault(one.key, fault)
    response = await one.provider.complete(_request(one))

    assert response.text
    assert response.usage.counts is None
    assert price_of(response.usage.counts, one.registry.prices(one.model), response.served_tier, DAY) is None


async def test_what_a_provider_says_of_its_limits_is_read_and_what_it_leaves_out_is_unknown(
    one: Simulated, simulator: SimulatedProviders
) -> None:
    first = await one.provider.complete(_request(one))
    simulator.fault(one.key, "missing_headers")
    second = await one.provider.complete(_request(one))

    limits = first.rate_limits
    assert limits.requests is not None
    assert limits.requests.limit == 1_000_000
    assert limits.requests.remaining == 999_999
    assert limits.requests.reset_seconds is not None
    assert 0 <= limits.requests.reset_seconds <= 61
    assert (limits.tokens or limits.input_tokens) is not None
    assert (second.request_id, second.rate_limits.requests) == (None, None)


async def test_only_what_the_model_accepts_is_sent(one: Simulated, simulator: SimulatedProviders) -> None:
    await one.provider.complete(_request(one, temperature=0.3, stop=("never",)))

    (attempt,) = await asyncio.to_thread(simulator.ended, one.key)
    sent = attempt["parameters"]
    accepting = one.registry.model(one.model).accepts
    assert ("temperature" in sent) == ("temperature" in accepting)
    assert ("stop" in sent or "stop_sequences" in sent) == ("stop" in accepting)


async def test_a_long_answer_is_streamed_though_nobody_listens(simulator: SimulatedProviders, tmp_path: Path) -> None:
    one = simulated(ANTHROPIC, simulator.url, tmp_path)
    with suppress(ModelError):
        await one.provider.complete(ModelRequest(one.model, (user("Write a long one."),), 60_000))
    await one.provider.close()

    (attempt,) = await asyncio.to_thread(simulator.ended, one.key)
    assert attempt["stream"]
    assert attempt["ending"] == "finished"


async def test_more_breakpoints_than_providers_take_are_refused_before_anything_is_sent(
    one: Simulated, simulator: SimulatedProviders
) -> None:
    with pytest.raises(BadRequest, match="at most 4 passages may end in a breakpoint"):
        await one.provider.complete(_request(one, system=(Passage("Once.", cache_after=True),) * 5))

    assert await asyncio.to_thread(simulator.attempts, one.key) == []
