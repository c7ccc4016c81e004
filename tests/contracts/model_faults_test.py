"""How a call of a model fails: each fault over a real socket, through each real SDK, as one class of error."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    BadRequest,
    Concern,
    ConnectionFailed,
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
from infrastructure.ports.ai.request import Deadlines, ModelRequest, user
from infrastructure.ports.ai.response import Finished, ModelEvent, TextDelta
from tests.simulated_providers import ANTHROPIC, COMPATIBLE, OPENAI, Simulated, SimulatedProviders, simulated

pytestmark = pytest.mark.anyio

DOCUMENT = "The tenant's name is Ada Lovelace and she owes 4,711 pounds."
GENEROUS = Deadlines(connect_seconds=30, first_token_seconds=60, idle_seconds=60, total_seconds=60)


@pytest.fixture(params=[OPENAI, ANTHROPIC, COMPATIBLE])
async def one(
    request: pytest.FixtureRequest, simulator: SimulatedProviders, tmp_path: Path
) -> AsyncIterator[Simulated]:
    one = simulated(request.param, simulator.url, tmp_path)
    yield one
    await one.provider.close()


def _request(one: Simulated, deadlines: Deadlines = GENEROUS) -> ModelRequest:
    return ModelRequest(one.model, (user(DOCUMENT),), 200, deadlines=deadlines)


async def _streamed(one: Simulated, request: ModelRequest, seen: list[ModelEvent]) -> None:
    async with aclosing(one.provider.stream(request)) as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401  # What came before a failure counts too.


async def _ended(simulator: SimulatedProviders, key: SecretStr) -> list[dict[str, Any]]:
    # Off the event loop, on which connections are closed meanwhile.
    return await asyncio.to_thread(simulator.ended, key)


async def _failed(one: Simulated, *, streamed: bool, deadlines: Deadlines = GENEROUS) -> ModelError:
    request = _request(one, deadlines)
    with pytest.raises(ModelError) as failed:
        await (_streamed(one, request, []) if streamed else one.provider.complete(request))
    return failed.value


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
    failed = await _failed(one, streamed=streamed)

    assert type(failed) is error
    assert failed.concerns is concern
    assert failed.counts_on_breaker is (concern is Concern.SERVICE)
    (attempt,) = await _ended(simulator, one.key)
    assert attempt["retry"] == "0"
    assert failed.failure.request_id == attempt["request_id"]


@pytest.mark.parametrize(("fault", "error"), [("throttle", Throttled), ("overload", Overloaded)])
async def test_a_refusal_says_when_to_ask_again(
    one: Simulated, simulator: SimulatedProviders, fault: str, error: type[ModelError]
) -> None:
    simulator.fault(one.key, fault, retry_after_seconds=12.5)
    failed = await _failed(one, streamed=False)

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
    failed = await _failed(one, streamed=streamed)

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
        await _streamed(one, _request(one), seen)

    assert sum(isinstance(event, TextDelta) for event in seen) == 3
    assert not any(isinstance(event, Finished) for event in seen)


DEADLINES: list[tuple[str, dict[str, Any], Deadlines, Phase, bool]] = [
    ("hang", {}, Deadlines(first_token_seconds=0.5), Phase.FIRST_TOKEN, True),
    ("first_token_stall", {"seconds": 30}, Deadlines(first_token_seconds=0.7), Phase.FIRST_TOKEN, True),
    ("stall", {"seconds": 30}, Deadlines(idle_seconds=0.5), Phase.IDLE, True),
    ("trickle", {"seconds": 0.2}, Deadlines(total_seconds=1.5), Phase.TOTAL, True),
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
    failed = await _failed(one, streamed=streamed, deadlines=deadlines)

    assert isinstance(failed, TimedOut)
    assert failed.phase is phase
    assert asyncio.get_running_loop().time() - began_at < 20
    assert failed.counts_on_breaker


async def test_a_stream_that_is_given_up_ends_at_the_provider_too(
    one: Simulated, simulator: SimulatedProviders
) -> None:
    simulator.fault(one.key, "trickle", seconds=0.05)
    async with aclosing(one.provider.stream(_request(one))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break

    (attempt,) = await _ended(simulator, one.key)
    assert attempt["ending"] == "aborted"
    assert attempt["output_tokens"] < 40


@contextmanager
def _full_listener() -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for one in waiting:
                one.close()


@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC, COMPATIBLE])
async def test_a_connection_that_hangs_is_given_up(name: str, tmp_path: Path) -> None:
    with _full_listener() as port:
        one = simulated(name, f"http://127.0.0.1:{port}", tmp_path)
        failed = await _failed(one, streamed=True, deadlines=Deadlines(connect_seconds=0.5))
        await one.provider.close()

    assert isinstance(failed, TimedOut)
    assert failed.phase is Phase.CONNECT


@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC, COMPATIBLE])
async def test_a_connection_that_is_refused_fails_at_once_and_so_does_health(name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    one = simulated(name, f"http://127.0.0.1:{port}", tmp_path)
    failed = await _failed(one, streamed=False)
    health = await one.provider.health()
    await one.provider.close()

    assert type(failed) is ConnectionFailed
    assert isinstance(health.error, ConnectionFailed)
    assert not failed.failure.accepted


@asynccontextmanager
async def _server(answer: bytes, *, endless: bytes = b"") -> AsyncIterator[str]:
    """A server that sends these bytes to everyone, whatever they ask; without any it hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(1)
            writer.write(answer)
            while endless:
                writer.write(endless)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC, COMPATIBLE])
async def test_a_server_that_hangs_up_instead_of_answering_is_a_lost_connection(name: str, tmp_path: Path) -> None:
    async with _server(b"") as url:
        one = simulated(name, url, tmp_path)
        failed = await _failed(one, streamed=False)
        await one.provider.close()

    assert type(failed) is ConnectionFailed


STREAMING = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
FLOODS = [b"data: " + b"x" * 1_000_000, b": keep-alive\n\n" * 100_000]


@pytest.mark.parametrize("flood", FLOODS, ids=["one event", "keep-alives"])
@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC])
async def test_an_answer_without_an_end_is_given_up(name: str, flood: bytes, tmp_path: Path) -> None:
    async with _server(STREAMING, endless=flood) as url:
        one = simulated(name, url, tmp_path)
        streamed = await _failed(one, streamed=True)
        whole = await _failed(one, streamed=False)
        await one.provider.close()

    assert isinstance(streamed, Malformed)
    assert isinstance(whole, Malformed)


async def test_a_server_that_cant_count_has_its_tokens_estimated(tmp_path: Path) -> None:
    async with _server(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}") as url:
        one = simulated(OPENAI, url, tmp_path)
        counted = await one.provider.count_tokens(_request(one))
        await one.provider.close()

    assert counted > len(DOCUMENT) // 4


@pytest.mark.parametrize("fault", ["auth", "bad_request", "quota", "malformed", "redirect"])
async def test_no_error_shows_the_key_or_the_document(
    one: Simulated, simulator: SimulatedProviders, fault: str
) -> None:
    simulator.fault(one.key, fault)
    failed = await _failed(one, streamed=False)

    shown = f"{failed} {failed!r} {failed.failure!r}"
    assert one.key.get_secret_value() not in shown
    assert "Lovelace" not in shown
    assert one.key.get_secret_value() not in repr(one.provider.__dict__)


async def test_no_log_shows_the_key_or_the_document(
    one: Simulated, simulator: SimulatedProviders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await one.provider.complete(_request(one))
    simulator.fault(one.key, "chunked_cut")
    await _failed(one, streamed=True)

    assert one.key.get_secret_value() not in caplog.text
    assert "Lovelace" not in caplog.text
