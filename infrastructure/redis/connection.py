"""One Redis connection kept outside the pool, for commands that a process sends many times a second."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from infrastructure.redis.client import SOCKET_TIMEOUT_SECONDS, InOneSlot, Redis, in_one_slot

Command = Sequence[str | bytes | int]


class RedisConnection:
    """Callers take turns on the one connection. Closing the client closes it.

    redis-py's client checks a connection out of its pool and sets a timeout for each reply, for every command: twice
    the CPU time of what is done here, on the event loop that also runs the jobs.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._prefixed = in_one_slot if isinstance(redis, InOneSlot) else _unchanged
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def ask(self, *commands: Command) -> list[Any]:
        """Sends the commands and returns their replies, in order. Raises one of the client's FAULTS; the commands may
        have taken effect then or not."""
        async with asyncio.timeout(SOCKET_TIMEOUT_SECONDS), self._turn:
            connection = await self._open()
            await connection.send_packed_command(connection.pack_commands(list(map(self._prefixed, commands))))
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
    # An error belongs to its own command: the replies to the others must still be read.
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _unchanged(command: Command) -> Command:
    return command
