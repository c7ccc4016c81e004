"""How the client's requests and replies look to httpx."""

from typing import Any

import httpx
from httpx_sse import SSEError

from producers.client.exchange import Reply, Request

ANSWER_SECONDS = 35.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0
SILENCE_SECONDS = 40.0
"""The ingress says something every 15 s; a stream silent for longer is dead, whatever the socket says."""

BROKEN = (httpx.TransportError, SSEError)
STREAM_TIMEOUT = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)


def headers_for(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "accept": "application/json"}


def arguments_for(request: Request) -> dict[str, Any]:
    timeout = httpx.Timeout(ANSWER_SECONDS + request.patience_seconds, connect=CONNECT_SECONDS)
    return {"headers": dict(request.headers), "content": request.body, "timeout": timeout}


def reply_of(response: httpx.Response) -> Reply:
    """The body of an open stream isn't part of it."""
    body = response.content if response.is_stream_consumed else b""
    return Reply(response.status_code, response.headers, body)
