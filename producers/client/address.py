"""Where the ingress is and with what it is asked, checked before anything is sent there."""

import os
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from producers.client.errors import Misconfigured

URL: Final = "BUCATINI_URL"
API_KEY: Final = "BUCATINI_API_KEY"
SCHEMES: Final = ("http", "https")
TIMEOUT_SECONDS: Final = 35.0
CONNECT_TIMEOUT_SECONDS: Final = 1.5
_KEY = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a client needs to know before it sends anything."""

    url: str
    api_key: str = field(repr=False)
    timeout_seconds: float
    connect_timeout_seconds: float


def access(
    url: str | None,
    api_key: str | None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
) -> Access:
    """What isn't given is read from the environment. Misconfigured unless all of it can be used."""
    for name, seconds in (("timeout_seconds", timeout_seconds), ("connect_timeout_seconds", connect_timeout_seconds)):
        if not 0 < seconds < float("inf"):
            raise Misconfigured(f"{name} is {seconds}: write a number above 0")
    return Access(
        checked_url(_given("the ingress's url", url, URL)),
        checked_key(_given("an api_key", api_key, API_KEY)),
        timeout_seconds,
        connect_timeout_seconds,
    )


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


def _given(what: str, value: str | None, variable: str) -> str:
    given = os.environ.get(variable) if value is None else value
    if not given:
        raise Misconfigured(f"{what} isn't known: pass it, or set {variable}")
    return given
