"""What the SDKs' clients have in common: their connections, their errors, and what they may log."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from infrastructure.model_http.failures import Refusal

if TYPE_CHECKING:
    import httpx2

MAX_CONNECTIONS = 2_000
"""More than a process has calls in flight: what waits for a connection would pass for a provider that is away."""
MAX_IDLE_CONNECTIONS = 200
IDLE_SECONDS = 30.0


def connection_limits() -> "httpx2.Limits":
    import httpx2

    return httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_SECONDS,
    )


def connect_timeout(seconds: float) -> "httpx2.Timeout":
    """Of the connection only: waiting for tokens is bounded by CallClock, which knows keep-alives from text."""
    import httpx2

    return httpx2.Timeout(None, connect=seconds, pool=seconds)


def keep_requests_out_of_logs(sdk: str) -> None:
    """At DEBUG the SDK and its transport log whole requests, with documents."""
    for name in (sdk, "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


@asynccontextmanager
async def translated(sdk: Any) -> AsyncIterator[None]:
    """Raises a Refusal in place of an SDK's error of a status, and the broken connection in place of one of a connection.
    `sdk` is the SDK's module: both are made by one generator, and name their errors alike."""
    try:
        yield
    except sdk.APIStatusError as error:
        raise Refusal(error.status_code, error.response.headers, error.body) from None
    except sdk.APIConnectionError as error:
        broken = error.__cause__ or ConnectionError("no connection")
        # With its own cause: only that tells a deadline from a refusal. The SDK's error has the request, and goes.
        raise broken from broken.__cause__
