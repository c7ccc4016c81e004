"""A connection that is kept, for what a process says to Redis many times a second."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from infrastructure.redis.client import SOCKET_TIMEOUT_SECONDS, InOneSlot, Redis, in_one_slot

Command = Sequence[str | bytes | int]


class RedisConnection:
    """Its users take turns. The client it belongs to closes it.

    For each command a client takes a connection out of its pool, keeps books of that and watches the clock anew for every
    reply: twice the time of what is done here, on a loop that has other things to do.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._spelt = in_one_slot if isinstance(redis, InOneSlot) else _as_it_is
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies, in order. Raises one of the client's FAULTS; the commands may have been taken then or not."""
        async with asyncio.timeout(SOCKET_TIMEOUT_SECONDS), self._turn:
            connection = await self._open()
            await connection.send_packed_command(connection.pack_commands(list(map(self._spelt, commands))))
            replies = [await _reply(connection) for _ in commands]
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    async def _open(self) -> AbstractConnection:
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        else:
            await self._pool.ensure_connection(self._connection)
        return self._connection


async def _reply(connection: AbstractConnection) -> Any:
    # An error is the reply to its own command: the others' are yet to be read.
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _as_it_is(command: Command) -> Command:
    return command
