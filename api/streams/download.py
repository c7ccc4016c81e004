"""Responses that stream what is stored, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Send

from api.auth.authentication import Credentials
from api.auth.principal import Principal
from api.http import problems
from api.http.request_body import Disconnected
from api.http.responses import Header
from api.streams.sse import SEND_SECONDS
from infrastructure.concurrency import watched


@dataclass(frozen=True, slots=True)
class Download:
    """Streams a stored content.

    It ends when the client leaves, reads nothing for SEND_SECONDS, or has its key revoked; by the content-length the client
    knows that it lacks the rest.
    """

    open: Callable[[], Awaitable[AsyncIterator[bytes] | None]]
    """Begins to read; None when it isn't there any more."""
    headers: Sequence[Header]
    credentials: Credentials
    principal: Principal
    what: str
    status: int = 200

    async def run(self, receive: Receive, send: Send) -> None:
        content = await self.open()
        if content is None:
            raise problems.not_found(self.what)
        ended = asyncio.Event()
        watching = watched.start(_watch(receive, ended), name="watches a download's reader")
        try:
            with self.credentials.while_valid(self.principal, ended.set):
                await _send_all(send, self.status, self.headers, content, ended)
        finally:
            watching.cancel()
            if (close := getattr(content, "aclose", None)) is not None:
                await close()


async def _send_all(
    send: Send, status: int, headers: Sequence[Header], content: AsyncIterator[bytes], ended: asyncio.Event
) -> None:
    started = False
    async for part in content:
        if not started:
            # After the first part was read: what can't be read at all is a problem, and no response that breaks off.
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            started = True
        await _send_in_time(send, part)
        if ended.is_set():
            raise Disconnected
    if not started:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_in_time(send: Send, part: bytes) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except TimeoutError:
        raise Disconnected from None


async def _watch(receive: Receive, ended: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    ended.set()
