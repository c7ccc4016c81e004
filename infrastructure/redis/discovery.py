"""Connections that look their server up each time they connect, for redis-py's sync and async clients."""

import asyncio
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import MovedError, ReadOnlyError
from redis.retry import Retry

from infrastructure.redis.address import Discovered, find
from infrastructure.redis.eager_connection import EagerConnection

# A server that answers so was the right one until another took over, which the next connection finds.
TAKEN_OVER = (ReadOnlyError, MovedError)


class FindingConnection(Connection):
    """For Celery's transport. No retries of redis-py, which would only block its thread: Celery retries itself."""

    def __init__(self, *, address: Discovered, **options: Any) -> None:
        super().__init__(**{**options, "retry": Retry(NoBackoff(), 0)})
        self._address = address

    def _connect(self) -> Any:
        self.host, self.port = find(self._address)
        return super()._connect()

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except TAKEN_OVER as error:
            self.disconnect()
            raise NotConnected("another Redis has taken over") from error


class FindingAsyncConnection(EagerConnection):
    """For the async client."""

    def __init__(self, *, address: Discovered, **options: Any) -> None:
        super().__init__(**options)
        self._address = address

    async def _connect(self) -> None:
        self.host, self.port = await asyncio.to_thread(find, self._address)
        await super()._connect()

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except TAKEN_OVER as error:
            await self.disconnect()
            raise NotConnected("another Redis has taken over") from error
