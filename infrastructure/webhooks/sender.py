"""Posts deliveries: one request each, bounded in time and in what is read, to public addresses only, never
redirected."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from types import TracebackType
from typing import Self

import httpcore

from infrastructure.ports.webhooks import Answered, Message, NotReached, Sent
from infrastructure.webhooks.signing import Signer
from infrastructure.webhooks.ssrf import GuardedNetwork, NotFound, Resolve, resolve
from infrastructure.webhooks.urls import UrlRefused, target_of
from schemas.problems import Problem
from schemas.retry_after import asked_seconds

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
"""Total timeout: DNS, connecting, sending and reading the response."""
MAX_ANSWER_BYTES = 16_384
MAX_CONNECTIONS = 256
BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class Sender:
    """Receivers over HTTP. Every delivery opens its own connection, so that every delivery's address is checked."""

    def __init__(
        self,
        signer: Signer,
        *,
        now: Callable[[], datetime],
        loopback_allowed: bool = False,
        resolve: Resolve = resolve,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._signer = signer
        self._now = now
        self._loopback_allowed = loopback_allowed
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=GuardedNetwork(resolve, loopback_allowed=loopback_allowed),
        )

    async def send(self, message: Message) -> Sent:
        signed = await self._signer.headers(message.id, message.body, message.secrets, self._now())
        began = time.monotonic()
        try:
            status, size, asked = await self._post(message, signed)
        except TimeoutError:
            return NotReached(_too_slow(), time.monotonic() - began)
        except UrlRefused as error:
            return NotReached(_refused(error), time.monotonic() - began)
        except (NotFound, *BROKEN) as error:
            return NotReached(_not_reached(error), time.monotonic() - began)
        return Answered(status, time.monotonic() - began, size, asked_seconds(asked, self._now()))

    async def _post(self, message: Message, signed: dict[str, str]) -> tuple[int, int, str]:
        """The response's status, the bytes of its body, and its Retry-After."""
        target = target_of(message.url, loopback_allowed=self._loopback_allowed)
        headers = {
            "content-type": "application/cloudevents+json",
            "content-length": str(len(message.body)),
            "user-agent": "bucatini-webhooks",
            "accept": "*/*",
            "connection": "close",
            "host": target.url.split("/")[2],
            **signed,
        }
        deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
        async with AsyncExitStack() as exchange:
            async with asyncio.timeout_at(deadline):
                answer = await exchange.enter_async_context(
                    self._pool.stream("POST", target.url, headers=list(headers.items()), content=message.body)
                )
            return answer.status, await _body_bytes(answer, deadline), _header(answer, b"retry-after")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()


async def _body_bytes(answer: httpcore.Response, deadline: float) -> int:
    """The bytes of the body that arrived. The status alone decides: a slow or broken body changes nothing."""
    size = 0
    with suppress(TimeoutError, *BROKEN):
        async with asyncio.timeout_at(deadline):
            async for chunk in answer.aiter_stream():
                size += len(chunk)
                if size >= MAX_ANSWER_BYTES:
                    break
    return min(size, MAX_ANSWER_BYTES)


def _header(answer: httpcore.Response, wanted: bytes) -> str:
    return next((value for name, value in answer.headers if name.lower() == wanted), b"").decode("latin-1")


def _too_slow() -> Problem:
    return Problem.of("receiver-too-slow", "The receiver didn't answer in time", 504, f"It has {ANSWER_SECONDS:g} s.")


def _refused(error: UrlRefused) -> Problem:
    return Problem.of("receiver-refused", "The webhook's URL leads where none may go", 502, f"It {error}.")


def _not_reached(error: Exception) -> Problem:
    # The kind of error only: what the other side sends may be part of the message.
    return Problem.of("receiver-unreachable", "The receiver can't be reached", 502, type(error).__name__)
