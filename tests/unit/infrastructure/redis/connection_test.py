"""A kept connection never mixes up replies, and works again after a fault."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis import Redis as SyncRedis
from redis.exceptions import ResponseError

from infrastructure.redis.client import FAULTS, Redis, connect
from infrastructure.redis.connection import RedisConnection
from tests.waiting import wait_until

Story = Callable[[RedisConnection, Redis], Awaitable[None]]


def _tell(redis_url: str, story: Story) -> None:
    async def told() -> None:
        redis = connect(redis_url)
        try:
            await story(RedisConnection(redis), redis)
        finally:
            await redis.aclose()

    asyncio.run(told())


def _blocked(redis_url: str) -> int:
    with SyncRedis.from_url(redis_url) as other:
        return int(other.info("clients")["blocked_clients"])


def test_a_command_that_is_refused_spoils_no_other(redis_url: str) -> None:
    async def story(redis_connection: RedisConnection, redis: Redis) -> None:
        with pytest.raises(ResponseError):
            await redis_connection.ask(("SET", "kettle", "on"), ("HGET", "kettle", "spout"), ("APPEND", "kettle", "!"))
        assert await redis_connection.ask(("GET", "kettle"), ("DEL", "kettle")) == [b"on!", 1]

    _tell(redis_url, story)


def test_who_gives_up_leaves_his_replies_to_nobody(redis_url: str) -> None:
    async def story(redis_connection: RedisConnection, redis: Redis) -> None:
        asking = asyncio.create_task(redis_connection.ask(("BLPOP", "never", 30)))
        await asyncio.to_thread(wait_until, lambda: _blocked(redis_url), "Redis has the command")
        asking.cancel()
        assert await redis_connection.ask(("ECHO", "hello")) == [b"hello"]
        assert asking.cancelled()

    _tell(redis_url, story)


def test_a_connection_that_was_closed_is_opened_again(redis_url: str) -> None:
    async def story(redis_connection: RedisConnection, redis: Redis) -> None:
        [before] = await redis_connection.ask(("CLIENT", "ID"))
        await redis.client_kill_filter(_id=before)
        try:
            [after] = await redis_connection.ask(("CLIENT", "ID"))
        except FAULTS:  # The end of the connection is heard of at the earliest when it is used.
            [after] = await redis_connection.ask(("CLIENT", "ID"))
        assert after != before

    _tell(redis_url, story)
