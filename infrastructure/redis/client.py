"""A client that notices a server that is slow, full, gone or silently vanished."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

SOCKET_TIMEOUT_SECONDS = 5
CONNECT_TIMEOUT_SECONDS = 3
HEALTH_CHECK_SECONDS = 5
MOST_CONNECTIONS = 16
FAULTS = (RedisError, OSError, TimeoutError)
"""All that a Redis fault looks like from here: refused, reset, timed out, loading, full, read-only, out of connections."""

__all__ = ["FAULTS", "Redis", "connect"]


def connect(redis_url: str, *, most_connections: int = MOST_CONNECTIONS) -> "Redis":
    """A client with its own pool. It opens connections when they are first needed; close it with `aclose()`.

    Never retries by itself: whoever calls knows whether a repeat is safe.
    """
    pool = BlockingConnectionPool.from_url(
        redis_url,
        max_connections=most_connections,
        timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
