"""Where the ingress is and with what it is asked, checked before anything is sent there."""

import re
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from producers.client.transport import CLOSE_SECONDS, CONNECT_SECONDS, headers_for

H = TypeVar("H")

SCHEMES = ("http", "https")
_KEY = re.compile(r"[\x21-\x7e]+")


class Misconfigured(ValueError):
    """An address, a key or a variable of the environment with which nothing can be asked. The message names it, and says
    what to write instead."""


def checked_url(url: str) -> str:
    """The address of an ingress. Misconfigured unless it is http or https with a host."""
    try:
        parts = urlsplit(url)
        port = parts.port  # Reading it is what checks it.
    except ValueError as error:
        raise Misconfigured(f"{url!r} can't be read: {error}") from None
    if parts.scheme not in SCHEMES:
        raise Misconfigured(
            f"{url!r} must begin with http:// or https://, such as http://{url.rpartition('/')[2] or 'host'}"
        )
    if not parts.hostname or port == 0:
        raise Misconfigured(f"{url!r} names no host, such as http://localhost:8000")
    return url


def checked_key(key: str) -> str:
    """The key without the line break that came with it from a file. Misconfigured when more than that is odd."""
    if not _KEY.fullmatch(key.strip()):
        raise Misconfigured("the key has a line break, a space or another character that no key has: copy it once more")
    return key.strip()


def is_loopback(url: str) -> bool:
    """Whether it leads to this machine, where no proxy has any business: it would be handed the key."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def http_arguments(url: str, key: str) -> dict[str, Any]:
    return {"base_url": url, "headers": headers_for(key), "trust_env": not is_loopback(url)}


def socket_arguments(url: str, key: str) -> dict[str, Any]:
    return {
        "additional_headers": headers_for(key),
        "open_timeout": CONNECT_SECONDS,
        "close_timeout": CLOSE_SECONDS,
        "max_size": None,  # An event holds a job's result, however large.
        "proxy": None if is_loopback(url) else True,
    }


def opened(url: str, client: Callable[[], H]) -> H:
    """The client that `client` makes; Misconfigured for what the environment says of proxies and certificates."""
    try:
        return client()
    except ssl.SSLError as error:
        raise Misconfigured(f"SSL_CERT_FILE or SSL_CERT_DIR can't be used: {error.reason or error}") from None
    except OSError as error:
        raise Misconfigured(f"SSL_CERT_FILE or SSL_CERT_DIR can't be used: {error}") from None
    except (ValueError, ImportError) as error:
        raise Misconfigured(f"{_proxy_variable(url)} can't be used: {str(error).splitlines()[0]}") from None


def _proxy_variable(url: str) -> str:
    """The one that stands for this address."""
    found = getproxies()
    scheme = urlsplit(url).scheme
    return f"{scheme.upper()}_PROXY" if scheme in found else "ALL_PROXY"
