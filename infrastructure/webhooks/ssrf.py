"""Resolves a receiver, refuses addresses that aren't public, and connects to exactly the address it checked.

A name may resolve differently the next time (DNS rebinding), so it is resolved only once.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore

from infrastructure.webhooks.addresses import address_of, is_public
from infrastructure.webhooks.urls import UrlRefused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
MAX_ADDRESSES = 3
LOOK_UP_SECONDS = 5.0


class NotFound(Exception):
    """The name has no address, or DNS didn't answer in time."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of the host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


async def allowed_addresses(host: str, port: int, resolve: Resolve, *, loopback_allowed: bool) -> list[str]:
    """The addresses to connect to. UrlRefused when any of the host's addresses isn't public."""
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = [address_of(text) for text in await resolve(host, port)]
    except (OSError, UnicodeError, TimeoutError):
        raise NotFound(f"{host} has no address") from None
    if not found:
        raise NotFound(f"{host} has no address")
    if not all(is_public(one) or (loopback_allowed and one.is_loopback) for one in found):
        raise UrlRefused("leads to an address that isn't public")
    return list(dict.fromkeys(map(str, found)))[:MAX_ADDRESSES]


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """The HTTP client's network backend: it resolves and checks names, and connects to addresses."""

    def __init__(self, resolve: Resolve, *, loopback_allowed: bool) -> None:
        self._resolve = resolve
        self._loopback_allowed = loopback_allowed
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await allowed_addresses(host, port, self._resolve, loopback_allowed=self._loopback_allowed)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise UrlRefused("leads to a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
