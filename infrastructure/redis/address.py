"""REDIS_URL parsed: one server, a master found through Sentinels, or the cluster node that holds our slot.

The last two are looked up at each connection, so a failover is a broken connection like any other: a reconnect reaches
the server that has taken over. See docs/decisions/0010-redis-is-one-server-at-a-time.md.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from infrastructure.settings import SettingsInvalid

ASKING: dict[str, Any] = {
    "socket_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    # No retry, since the next host is asked at once: redis-py would wait three seconds for one that is down.
    "retry": Retry(NoBackoff(), 0),
}
SENTINEL_PORT, CLUSTER_PORT = 26379, 6379
IN_ONE_SLOT = "{bucatini}:"
"""The prefix of every key in a cluster: the hash tag puts all of them into one slot, so one command may name
several."""

Host = tuple[str, int]


class RedisUrlInvalid(SettingsInvalid):
    """REDIS_URL can't be parsed. The message gives the expected form and quotes nothing, since the URL holds a
    password."""


@dataclass(frozen=True, slots=True)
class Direct:
    """One server, or a proxy in front of it."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Discovered:
    """A server that is found through other hosts."""

    hosts: tuple[Host, ...]
    """The hosts to ask, in this order."""
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)

    def __json__(self) -> str:
        """As `celery inspect stats` shows it, among the transport's options."""
        return repr(self)


@dataclass(frozen=True, slots=True)
class BySentinel(Discovered):
    master: str
    db: int = 0
    sentinel_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InCluster(Discovered):
    db: int = 0
    """The only database that a cluster has."""


Address = Direct | BySentinel | InCluster


def address_of(redis_url: str) -> Address:
    """Parses the URL. Raises RedisUrlInvalid.

    `redis://…`, `rediss://…` and `unix://…` as redis-py reads them;
    `sentinel://[:password@]host:port,host:port/master[/db]`, with `?sentinel_password=…` if the Sentinels want another;
    `cluster://[:password@]host:port,host:port`.
    """
    scheme = redis_url.partition("://")[0]
    if scheme in ("redis", "rediss", "unix"):
        return Direct(redis_url)
    if scheme not in ("sentinel", "cluster"):
        raise RedisUrlInvalid(
            "REDIS_URL begins with redis://, rediss://, unix://, sentinel://host:port,host:port/master "
            "or cluster://host:port,host:port"
        )
    try:
        parts = urlsplit(redis_url)
    except ValueError:
        raise RedisUrlInvalid("REDIS_URL has a host in brackets that is no IPv6 address") from None
    username, password, hosts = _authority(parts.netloc)
    if scheme == "cluster":
        return InCluster(_hosts(hosts, CLUSTER_PORT), username, password)
    master, _, db = parts.path.strip("/").partition("/")
    if not master or not (db or "0").isdecimal():
        raise RedisUrlInvalid("REDIS_URL names no master: sentinel://host:port,host:port/master or …/master/0")
    (own,) = parse_qs(parts.query).get("sentinel_password", [None])[:1]
    return BySentinel(_hosts(hosts, SENTINEL_PORT), username, password, master, int(db or 0), own)


def find(address: Discovered) -> Host:
    """Finds the server that takes writes now. Raises one of redis-py's connection errors when no host knows it; call
    again then. Blocks for about a second for each host that doesn't answer."""
    match address:
        case BySentinel():
            return _master(address)
        case InCluster():
            return _holder_of_our_slot(address)
    raise AssertionError(f"{address!r} is found in no way")


def _master(address: BySentinel) -> Host:
    sentinels = Sentinel(address.hosts, sentinel_kwargs={**ASKING, "password": address.sentinel_password})
    try:
        host, port = sentinels.discover_master(address.master)
        return str(host), int(port)
    finally:
        for sentinel in sentinels.sentinels:
            sentinel.close()


def _holder_of_our_slot(address: InCluster) -> Host:
    slot = key_slot(IN_ONE_SLOT.encode())
    answered = False
    for host, port in address.hosts:
        asking = Redis(host=host, port=port, username=address.username, password=address.password, **ASKING)
        with asking, suppress(RedisError, OSError):
            slots = asking.execute_command("CLUSTER SLOTS")
            answered = True
            for first, last, (found_host, found_port, *_), *_replicas in slots:
                if first <= slot <= last:
                    # A node that doesn't know its own address leaves it out: it is the host that answered.
                    return (found_host or b"").decode() or host, int(found_port)
    if answered:
        # The code that such a cluster answers with on a connection that stands.
        raise NotConnected("CLUSTERDOWN none of the cluster's nodes in REDIS_URL knows who has our slot")
    raise NotConnected("none of the cluster's nodes in REDIS_URL answers")


def _authority(netloc: str) -> tuple[str | None, str | None, str]:
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    return unquote(username) or None, unquote(password) or None, hosts


def _hosts(text: str, usual_port: int) -> tuple[Host, ...]:
    hosts = []
    for one in filter(None, text.split(",")):
        host, colon, port = one.rpartition(":") if not one.endswith("]") else (one, "", "")
        if colon and not port.isdecimal():
            raise RedisUrlInvalid("a port in REDIS_URL is no number: host:port,host:port")
        hosts.append(((host if colon else one).strip("[]"), int(port) if colon else usual_port))
    if not hosts:
        raise RedisUrlInvalid("REDIS_URL names no host: sentinel://host:port,host:port/master or cluster://host:port")
    return tuple(hosts)
