"""The async Redis client, with timeouts that detect a server that is slow, full or gone."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from infrastructure.redis.address import IN_ONE_SLOT, Address, Direct, InCluster, address_of
from infrastructure.redis.discovery import FindingAsyncConnection
from infrastructure.redis.eager_connection import EagerConnection

SOCKET_TIMEOUT_SECONDS = 5
CONNECT_TIMEOUT_SECONDS = 3
HEALTH_CHECK_SECONDS = 5
MAX_CONNECTIONS = 16
FAULTS = (RedisError, OSError, TimeoutError)
"""Every exception of a Redis fault: refused, reset, timed out, loading, full, read-only, out of connections."""

KEY_COMMANDS = frozenset(
    {
        *("EXPIRE", "GET", "HDEL", "HGETALL", "HMGET", "HSET", "HVALS", "INCRBY", "LINDEX", "LLEN", "LPUSH", "LTRIM"),
        *("RPOP", "RPUSH", "SET"),
    }
)
KEYS_COMMANDS = frozenset({"DEL", "EXISTS"})
SCRIPT_COMMANDS = frozenset({"EVAL", "EVALSHA"})

__all__ = ["FAULTS", "Redis", "connect"]


def connect(redis_url: str, *, most_connections: int = MAX_CONNECTIONS) -> "Redis":
    """A client with its own pool. It opens connections when they are first needed; close it with `aclose()`.

    Never retries by itself: only the caller knows whether a repeat is safe. RedisUrlInvalid when the URL can't be read.
    """
    address = address_of(redis_url)
    options = {
        "max_connections": most_connections,
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    kind = InOneSlot if isinstance(address, InCluster) else Redis
    return kind.from_pool(_pool(address, options))


def _pool(address: Address, options: dict[str, Any]) -> BlockingConnectionPool:
    if isinstance(address, Direct):
        # A URL of another scheme, such as rediss://, brings its own kind of connection.
        return BlockingConnectionPool.from_url(address.url, connection_class=EagerConnection, **options)
    return BlockingConnectionPool(
        connection_class=FindingAsyncConnection,
        address=address,
        username=address.username,
        password=address.password,
        db=address.db,
        **options,
    )


class InOneSlot(Redis):
    """Puts all our keys into one slot of a cluster, and so on one of its servers at a time."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*in_one_slot(args), **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _PipelineInOneSlot(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _PipelineInOneSlot(Pipeline):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*in_one_slot(args), **options)


def in_one_slot(command: Sequence[Any]) -> Sequence[Any]:
    name, *rest = command
    if name in KEYS_COMMANDS:
        return [name, *(f"{IN_ONE_SLOT}{key}" for key in rest)]
    if name in KEY_COMMANDS:
        return [name, f"{IN_ONE_SLOT}{rest[0]}", *rest[1:]]
    if name in SCRIPT_COMMANDS:
        script, keys, *arguments = rest
        named, others = arguments[: int(keys)], arguments[int(keys) :]
        return [name, script, keys, *(f"{IN_ONE_SLOT}{key}" for key in named), *others]
    return command
