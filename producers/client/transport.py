"""How the client's requests and replies look to httpx and to websockets."""

import ssl
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
from httpx_sse import SSEError

from producers.client.address import Access, is_loopback
from producers.client.errors import Misconfigured
from producers.client.exchange import NoReply, Reply, Request

H = TypeVar("H")

OPEN_SECONDS: Final = 5.0
"""Of a WebSocket, with what the ingress does before it agrees to one."""
CLOSE_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 40.0
"""The ingress says something every 15 s; a stream silent for longer is dead, whatever the socket says."""
BROKEN_STREAM = (httpx.TransportError, SSEError)
NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def http_arguments(access: Access) -> dict[str, Any]:
    """For httpx's client. An ingress on this machine is asked directly, whatever the environment says of proxies."""
    return {"base_url": access.url, "headers": _headers(access), "trust_env": not is_loopback(access.url)}


def socket_arguments(access: Access) -> dict[str, Any]:
    """For websockets' `connect`."""
    return {
        "additional_headers": _headers(access),
        "open_timeout": max(OPEN_SECONDS, access.connect_timeout_seconds),
        "close_timeout": CLOSE_SECONDS,
        "max_size": None,  # An event holds a job's result, however large.
        "proxy": None if is_loopback(access.url) else True,
    }


def stream_timeout(access: Access) -> httpx.Timeout:
    return httpx.Timeout(SILENCE_SECONDS, connect=access.connect_timeout_seconds)


def arguments_for(request: Request, access: Access) -> dict[str, Any]:
    """For httpx's `request`."""
    seconds = access.timeout_seconds + request.patience_seconds
    timeout = httpx.Timeout(seconds, connect=access.connect_timeout_seconds)
    body = {"content": request.body} if request.form is None else request.form.arguments()
    return {"headers": dict(request.headers), "timeout": timeout, **body}


def reply_of(response: httpx.Response) -> Reply:
    """The body of an open stream isn't part of it."""
    body = response.content if response.is_stream_consumed else b""
    return Reply(response.status_code, response.headers, body)


def no_reply(error: httpx.TransportError) -> NoReply:
    reason = str(error) or type(error).__name__
    return NoReply(reason, not isinstance(error, NOT_CONNECTED), isinstance(error, httpx.TimeoutException))


def opened(access: Access, client: Callable[[], H]) -> H:
    """The client that `client` makes; Misconfigured for what the environment says of proxies and certificates."""
    try:
        return client()
    except ssl.SSLError as error:
        raise Misconfigured(f"SSL_CERT_FILE or SSL_CERT_DIR can't be used: {error.reason or error}") from None
    except OSError as error:
        raise Misconfigured(f"SSL_CERT_FILE or SSL_CERT_DIR can't be used: {error}") from None
    except (ValueError, ImportError) as error:
        raise Misconfigured(f"{_proxy_variable(access.url)} can't be used: {str(error).splitlines()[0]}") from None


def _headers(access: Access) -> dict[str, str]:
    return {"authorization": f"Bearer {access.api_key}", "accept": "application/json"}


def _proxy_variable(url: str) -> str:
    """The one that stands for this address."""
    scheme = urlsplit(url).scheme
    return f"{scheme.upper()}_PROXY" if scheme in getproxies() else "ALL_PROXY"
