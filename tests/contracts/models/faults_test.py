"""How a call of a model fails: each fault over a real socket, through each real SDK, as one class of error."""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import pytest

from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    BadRequest,
    Concern,
    ContentRefused,
    CutShort,
    Malformed,
    ModelError,
    Overloaded,
    Phase,
    QuotaExhausted,
    Throttled,
    TimedOut,
)
from infrastructure.ports.ai.request import Deadlines
from infrastructure.ports.ai.response import Finished, ModelEvent, TextDelta
from tests.contracts.models.calling import ended, failure_of, request_to, streamed_into
from tests.simulated_providers import Simulated, SimulatedProviders

pytestmark = pytest.mark.anyio


REFUSALS = [
    ("throttle", Throttled, Concern.KEY),
    ("quota", QuotaExhausted, Concern.KEY),
    ("auth", AuthenticationRefused, Concern.KEY),
    ("overload", Overloaded, Concern.SERVICE),
    ("server_error", Overloaded, Concern.SERVICE),
    ("bad_request", BadRequest, Concern.REQUEST),
    ("redirect", Malformed, Concern.SERVICE),
    ("decline", ContentRefused, Concern.REQUEST),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize(("fault", "error", "concern"), REFUSALS, ids=[name for name, *_ in REFUSALS])
async def test_a_refusal_is_of_its_class_and_asked_once(
    one: Simulated, simulator: SimulatedProviders, fault: str, error: type[ModelError], concern: Concern, streamed: bool
) -> None:
    simulator.fault(one.key, fault)
    failed = await failure_of(one, streamed=streamed)

    assert type(failed) is error
    assert failed.concerns is concern
    assert failed.counts_on_breaker is (concern is Concern.SERVICE)
    (attempt,) = await ended(simulator, one.key)
    assert attempt["retry"] == "0"
    assert failed.failure.request_id == attempt["request_id"]


@pytest.mark.parametrize(("fault", "error"), [("throttle", Throttled), ("overload", Overloaded)])
async def test_a_refusal_says_when_to_ask_again(
    one: Simulated, simulator: SimulatedProviders, fault: str, error: type[ModelError]
) -> None:
    simulator.fault(one.key, fault, retry_after_seconds=12.5)
    failed = await failure_of(one, streamed=False)

    assert type(failed) is error
    assert failed.failure.retry_after_seconds == 12.5
    assert failed.failure.rate_limits.requests is not None


BREAKS = [
    ("error_in_stream", Overloaded, True),
    ("clean_cut", CutShort, True),
    ("chunked_cut", CutShort, True),
    ("malformed", Malformed, True),
    ("chunked_cut", CutShort, False),
    ("malformed", Malformed, False),
    ("clean_cut", Malformed, False),
]


@pytest.mark.parametrize(("fault", "error", "streamed"), BREAKS)
async def test_an_answer_that_breaks_off_is_no_success(
    one: Simulated, simulator: SimulatedProviders, fault: str, error: type[ModelError], streamed: bool
) -> None:
    simulator.fault(one.key, fault, after_tokens=3)
    failed = await failure_of(one, streamed=streamed)

    assert type(failed) is error
    assert failed.failure.accepted
    assert failed.failure.status == 200
    assert failed.counts_on_breaker


async def test_what_was_streamed_before_a_failure_has_been_passed_on(
    one: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(one.key, "error_in_stream", after_tokens=3)
    seen: list[ModelEvent] = []
    with pytest.raises(Overloaded):
        await streamed_into(one, request_to(one), seen)

    assert sum(isinstance(event, TextDelta) for event in seen) == 3
    assert not any(isinstance(event, Finished) for event in seen)


DEADLINES: list[tuple[str, dict[str, Any], Deadlines, Phase, bool]] = [
    ("hang", {}, Deadlines(first_token_seconds=0.5), Phase.FIRST_TOKEN, True),
    ("first_token_stall", {"seconds": 30}, Deadlines(first_token_seconds=0.7), Phase.FIRST_TOKEN, True),
    ("stall", {"seconds": 30}, Deadlines(idle_seconds=0.5), Phase.IDLE, True),
    ("trickle", {"seconds": 0.2}, Deadlines(total_seconds=1.5), Phase.TOTAL, True),
    ("trickle", {"seconds": 0.2}, Deadlines(rate_seconds=1.0, min_tokens_a_second=20), Phase.RATE, True),
    ("hang", {}, Deadlines(total_seconds=0.5), Phase.TOTAL, False),
    ("slow", {"seconds": 30}, Deadlines(total_seconds=0.7), Phase.TOTAL, False),
    ("stall", {"seconds": 30}, Deadlines(idle_seconds=0.5), Phase.IDLE, False),
]


@pytest.mark.parametrize(("fault", "fields", "deadlines", "phase", "streamed"), DEADLINES)
async def test_each_deadline_ends_the_call_whatever_the_provider_does(
    one: Simulated,
    simulator: SimulatedProviders,
    fault: str,
    fields: dict[str, Any],
    deadlines: Deadlines,
    phase: Phase,
    streamed: bool,
) -> None:
    await one.provider.list_models()  # The SDK is imported, and the connection open.
    simulator.fault(one.key, fault, **fields)
    began_at = asyncio.get_running_loop().time()
    failed = await failure_of(one, streamed=streamed, deadlines=deadlines)

    assert isinstance(failed, TimedOut)
    assert failed.phase is phase
    assert asyncio.get_running_loop().time() - began_at < 20
    assert failed.counts_on_breaker


async def test_a_stream_that_is_given_up_ends_at_the_provider_too(
    one: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(one.key, "trickle", seconds=0.05)
    async with aclosing(one.provider.stream(request_to(one))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break

    (attempt,) = await ended(simulator, one.key)
    assert attempt["ending"] == "aborted"
    assert attempt["output_tokens"] < 40


@pytest.mark.parametrize("fault", ["auth", "bad_request", "quota", "malformed", "redirect"])
async def test_no_error_shows_the_key_or_the_document(
    one: Simulated, simulator: SimulatedProviders, fault: str
) -> None:
    simulator.fault(one.key, fault)
    failed = await failure_of(one, streamed=False)

    shown = f"{failed} {failed!r} {failed.failure!r}"
    assert one.key.get_secret_value() not in shown
    assert "Lovelace" not in shown
    assert one.key.get_secret_value() not in repr(one.provider.__dict__)


async def test_no_log_shows_the_key_or_the_document(
    one: Simulated, simulator: SimulatedProviders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await one.provider.complete(request_to(one))
    simulator.fault(one.key, "chunked_cut")
    await failure_of(one, streamed=True)

    assert one.key.get_secret_value() not in caplog.text
    assert "Lovelace" not in caplog.text
