"""Posts deliveries: one request each, bounded in time and in what is read, to public addresses only, never redirected."""

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpcore

from infrastructure.ports.webhooks import Answered, Message, NotReached, Sent
from infrastructure.receivers.guard import GuardedNetwork, NotFound, Resolve, resolve
from infrastructure.receivers.signing import Signer
from infrastructure.receivers.urls import UrlRefused, target_of
from schemas.problems import Problem

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
"""For looking up, connecting, sending and the whole answer."""
MOST_ANSWER_BYTES = 16_384
MOST_CONNECTIONS = 256


class Sender:
    """Receivers over HTTP. Every delivery has a connection of its own, so every delivery's address is checked."""

    def __init__(
        self,
        signer: Signer,
        *,
        loopback_allowed: bool = False,
        resolve: Resolve = resolve,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._signer = signer
        self._loopback_allowed = loopback_allowed
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates,
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=GuardedNetwork(resolve, loopback_allowed=loopback_allowed),
        )

    async def send(self, message: Message) -> Sent:
        signed = await self._signer.headers(message.id, message.body, message.secrets, datetime.now(UTC))
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, size, headers = await self._post(message, signed)
        except TimeoutError:
            return NotReached(_too_slow(), time.monotonic() - began)
        except UrlRefused as error:
            return NotReached(_refused(error), time.monotonic() - began)
        except (NotFound, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return NotReached(_not_reached(error), time.monotonic() - began)
        return Answered(status, time.monotonic() - began, size, _asked_seconds(headers, datetime.now(UTC)))

    async def _post(self, message: Message, signed: dict[str, str]) -> tuple[int, int, Sequence[tuple[bytes, bytes]]]:
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
        async with self._pool.stream("POST", target.url, headers=list(headers.items()), content=message.body) as answer:
            size = 0
            async for chunk in answer.aiter_stream():
                size += len(chunk)
                if size >= MOST_ANSWER_BYTES:
                    break
            return answer.status, min(size, MOST_ANSWER_BYTES), answer.headers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()


def _asked_seconds(headers: Sequence[tuple[bytes, bytes]], now: datetime) -> float | None:
    """What Retry-After asks for, in seconds or as a date; None without one that can be read."""
    given = next((value for name, value in headers if name.lower() == b"retry-after"), b"").decode("latin-1").strip()
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        return max(0.0, (parsedate_to_datetime(given) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _too_slow() -> Problem:
    return Problem.of("receiver-too-slow", "The receiver didn't answer in time", 504, f"It has {ANSWER_SECONDS:g} s.")


def _refused(error: UrlRefused) -> Problem:
    return Problem.of("receiver-refused", "The webhook's URL leads where none may go", 502, f"It {error}.")


def _not_reached(error: Exception) -> Problem:
    # The kind of error only: what the other side sends may be part of the message.
    return Problem.of("receiver-unreachable", "The receiver can't be reached", 502, type(error).__name__)
