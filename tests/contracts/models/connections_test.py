"""Servers that take no connection, keep none, or never come to an end; none of them is the simulator."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from infrastructure.ports.ai.errors import (
    ConnectionFailed,
    Malformed,
    Phase,
    TimedOut,
)
from infrastructure.ports.ai.request import Deadlines
from tests.contracts.models.calling import DOCUMENT, failure_of, request_to
from tests.simulated_providers import ANTHROPIC, COMPATIBLE, OPENAI, simulated

pytestmark = pytest.mark.anyio


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
        failed = await failure_of(one, streamed=True, deadlines=Deadlines(connect_seconds=0.5))
        await one.provider.close()

    assert isinstance(failed, TimedOut)
    assert failed.phase is Phase.CONNECT


@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC, COMPATIBLE])
async def test_a_connection_that_is_refused_fails_at_once_and_so_does_health(name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    one = simulated(name, f"http://127.0.0.1:{port}", tmp_path)
    failed = await failure_of(one, streamed=False)
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
        failed = await failure_of(one, streamed=False)
        await one.provider.close()

    assert type(failed) is ConnectionFailed


STREAMING = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
FLOODS = [b"data: " + b"x" * 1_000_000, b": keep-alive\n\n" * 100_000]


@pytest.mark.parametrize("flood", FLOODS, ids=["one event", "keep-alives"])
@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC])
async def test_an_answer_without_an_end_is_given_up(name: str, flood: bytes, tmp_path: Path) -> None:
    async with _server(STREAMING, endless=flood) as url:
        one = simulated(name, url, tmp_path)
        streamed = await failure_of(one, streamed=True)
        whole = await failure_of(one, streamed=False)
        await one.provider.close()

    assert isinstance(streamed, Malformed)
    assert isinstance(whole, Malformed)


async def test_a_server_that_cant_count_has_its_tokens_estimated(tmp_path: Path) -> None:
    async with _server(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}") as url:
        one = simulated(OPENAI, url, tmp_path)
        counted = await one.provider.count_tokens(request_to(one))
        await one.provider.close()

    assert counted > len(DOCUMENT) // 4
