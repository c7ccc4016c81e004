"""Async connections that write a command to the socket at once."""

import asyncio
from collections.abc import Iterable

from redis.asyncio import Connection


class EagerConnection(Connection):
    """redis-py sends within `asyncio.wait_for`, which in Python 3.11 makes a task of it: the command then waits for a
    turn of the event loop behind everything else that was just scheduled."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        writer = self._writer
        if isinstance(command, str) or writer is None or (check_health and self._health_is_due()):
            await super().send_packed_command(command, check_health)
            return
        try:
            writer.writelines([command] if isinstance(command, bytes) else command)
            async with asyncio.timeout(self.socket_timeout):
                await writer.drain()
        except BaseException:
            # Half a command may have been sent: the connection can't be used any more.
            await self.disconnect(nowait=True)
            raise

    def _health_is_due(self) -> bool:
        return bool(self.health_check_interval) and asyncio.get_running_loop().time() > self.next_health_check
