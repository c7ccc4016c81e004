"""Limits the open connections: in total, so that the process never runs out of file descriptors, and per client address.

At a limit the connection that has been idle longest is evicted; if none is idle, the new one is refused. So idle
connections, however many, keep no client out.
"""

import resource
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from infrastructure.settings import Settings
from monitoring.metrics import ingress as ingress_metrics

BACKLOG = 2_048
OWN_DESCRIPTORS = 64
"""Reserved for PostgreSQL, Redis, the log and files."""
MIN_CONNECTIONS = 16
MIN_IDLE_SECONDS = 1.0
"""How long a connection must be idle before it may be evicted: a new one has had no time to send its request."""
IPV6_HOST_BITS = 64
"""The part of an IPv6 address that one machine chooses freely; the rest counts as its address."""


class Full(StrEnum):
    """Which limit was reached; the value is the reason in the metric."""

    ALL = "full"
    OF_ADDRESS = "address_full"


class Connection(Protocol):
    """An open connection, HTTP or WebSocket."""

    def idle_since(self) -> float | None:
        """Since when it has had no request, by the loop's clock; None while it has one."""
        ...

    def evict(self) -> None:
        """Closes it to make room for another."""
        ...

    def check(self, now: float) -> None:
        """Closes it if one of its timeouts has passed. Called every second."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """The limits of a process: open connections and the listen backlog."""

    in_all: int
    per_address: int
    backlog: int


def places(settings: Settings) -> Places:
    """The limits by the settings, lowered to what the process's file descriptors allow.

    A quarter of the descriptors stays free: the event loop accepts the whole backlog before it can refuse any of it.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = max(MIN_CONNECTIONS, descriptors // 4)
    in_all = max(MIN_CONNECTIONS, min(settings.max_connections, descriptors - OWN_DESCRIPTORS - spare))
    per_address = settings.max_connections_per_address or in_all // 2
    return Places(in_all, min(per_address, in_all), min(BACKLOG, spare))


def raise_descriptor_limit() -> None:
    """Raises the soft limit on file descriptors to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ConnectionLimits:
    """One per process."""

    def __init__(self, allowed: Places) -> None:
        self._allowed = allowed
        self._open: dict[Connection, str] = {}
        self._per_address: Counter[str] = Counter()
        self._lingering: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._idle_by_address: dict[str, deque[Connection]] = {}

    def enter(self, connection: Connection, address: str | None) -> Full | None:
        """Counts the connection; returns the limit that was reached if there is no room for it."""
        host = host_of(address)
        if self._per_address[host] >= self._allowed.per_address and not self._make_room(self._idle_of(host)):
            return Full.OF_ADDRESS
        if len(self._open) >= self._allowed.in_all and not self._make_room(self._idle):
            return Full.ALL
        self.keep(connection, address)
        return None

    def keep(self, connection: Connection, address: str | None) -> None:
        """Counts a connection without a check: a WebSocket that replaces the HTTP connection it was upgraded from."""
        host = host_of(address)
        self._open[connection] = host
        self._per_address[host] += 1
        ingress_metrics.connections_open(len(self._open))

    def linger(self, connection: Connection) -> bool:
        """Whether a refused connection may stay open until the client has read its response."""
        if len(self._lingering) >= self._allowed.backlog // 2:
            return False
        self._lingering.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """Stops counting the connection. Repeating it is safe."""
        self._lingering.discard(connection)
        host = self._open.pop(connection, None)
        if host is None:
            return
        self._per_address[host] -= 1
        if not self._per_address[host]:
            del self._per_address[host]
        ingress_metrics.connections_open(len(self._open))

    def check(self, now: float) -> None:
        """Closes connections whose timeouts have passed, and finds the idle ones that may be evicted."""
        for connection in (*self._open, *self._lingering):
            connection.check(now)
        self._idle, self._idle_by_address = deque(), {}
        if len(self._open) >= min(self._allowed.per_address, self._allowed.in_all) // 2:
            self._find_idle(now)

    def _find_idle(self, now: float) -> None:
        since = {one: idle for one in self._open if (idle := one.idle_since()) is not None}
        longest_first = sorted((one for one in since if now - since[one] >= MIN_IDLE_SECONDS), key=since.__getitem__)
        of_address: defaultdict[str, deque[Connection]] = defaultdict(deque)
        for connection in longest_first:
            of_address[self._open[connection]].append(connection)
        self._idle, self._idle_by_address = deque(longest_first), dict(of_address)

    def _idle_of(self, host: str) -> deque[Connection]:
        return self._idle_by_address.get(host) or deque()

    def _make_room(self, idle: deque[Connection]) -> bool:
        while idle:
            connection = idle.popleft()
            if connection in self._open and connection.idle_since() is not None:
                self.leave(connection)
                connection.evict()
                return True
        return False


def host_of(address: str | None) -> str:
    """The client address that the limit counts by: with IPv6 the /64 network that a single machine has."""
    if address is None or ":" not in address:
        return address or ""
    parsed = ip_address(address.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or int(parsed) >> IPV6_HOST_BITS)
