"""Parses a webhook's URL, so strictly that no two parsers can disagree about its target."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from infrastructure.webhooks.addresses import address_of, is_public

HTTPS_PORT = 443
LOWEST_FREE_PORT = 1_024

_VISIBLE = re.compile(r"[^\x00-\x20\x7f\\]+")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class UrlRefused(Exception):
    """The URL isn't allowed for a webhook. The message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. The host is in ASCII, or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTPS_PORT if self.scheme == "https" else 80
        return f"{self.scheme}://{host}{'' if self.port == usual else f':{self.port}'}{self.path}"


def target_of(url: str, *, loopback_allowed: bool = False) -> Target:
    """The target, or UrlRefused. `loopback_allowed` is for development: plain http then leads to loopback only."""
    if not _VISIBLE.fullmatch(url):
        raise UrlRefused("has a space, a control character or a backslash; percent-encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("can't be read as a URL") from None
    if "@" in parts.netloc:
        raise UrlRefused("names a user; leave that out")
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):
        raise UrlRefused("has brackets around what is no IPv6 address")
    if "#" in url:
        raise UrlRefused("has a fragment, which is never sent; leave it out")
    scheme = parts.scheme.lower()
    if scheme != "https" and not (scheme == "http" and loopback_allowed):
        raise UrlRefused("must begin with https://")
    target = Target(scheme, _host(parts.hostname or ""), port or (HTTPS_PORT if scheme == "https" else 80), _path(url))
    _check(target, loopback_allowed)
    return target


def _check(target: Target, loopback_allowed: bool) -> None:
    try:
        address = address_of(target.host)
    except ValueError:
        address = None
    loops = loopback_allowed and (target.host == "localhost" or (address is not None and address.is_loopback))
    if target.scheme == "http" and not loops:
        raise UrlRefused("must begin with https://; only loopback may have http://, in development")
    if loops:
        return
    if target.port != HTTPS_PORT and target.port < LOWEST_FREE_PORT:
        raise UrlRefused("names a port that belongs to another protocol; use 443 or one above 1023")
    if address is not None and not is_public(address):
        raise UrlRefused("leads to an address that isn't public")


def _host(host: str) -> str:
    """In one spelling only: as an address in full, or as a name in ASCII."""
    if ":" in host:
        try:
            return str(address_of(host)) if "%" not in host else _no_name()
        except ValueError:
            return _no_name()
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return _no_name()
    if not re.fullmatch(
        r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*", name
    ):
        return _no_name()
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # Resolvers read 0x7f.1, 2130706433 and 017700000001 as 127.0.0.1: only four plain numbers are an address.
        try:
            return str(address_of(name))
        except ValueError:
            raise UrlRefused("has a number for a host; write the address as four plain numbers, or a name") from None
    return name


def _no_name() -> str:
    raise UrlRefused("has no host that can be looked up; write it without a dot at the end")


def _path(url: str) -> str:
    rest = url.split("://", 1)[1]
    start = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=len(rest))
    path = rest[start:] or "/"
    if not path.isascii():
        raise UrlRefused("has a letter beyond ASCII in its path; percent-encode it")
    return path if path.startswith("/") else f"/{path}"
