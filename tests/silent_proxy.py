"""Stands between a process and Redis, and can stop passing on what they say without closing anything: a silent loss."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from infrastructure.local_stack.servers.loopback import LOOPBACK

AT_ONCE = 65_536


class Gap:
    """A TCP proxy on a thread of its own. Leaving it closes everything that goes through it."""

    def __init__(self, redis_url: str) -> None:
        parts = urlsplit(redis_url)
        self._target = (parts.hostname, parts.port)
        self._silent = False
        self._deaf_to: bytes | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gap", daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._do(asyncio.start_server(self._join, LOOPBACK, 0))
        port = self._server.sockets[0].getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()
        self.swallowed = 0
        """Pieces that were lost in it."""

    def swallow(self) -> None:
        """From now on nothing gets through in either direction, and nobody is told: connections open, and stay silent."""
        self._silent = True

    def swallow_whoever_says(self, word: bytes) -> None:
        """A connection on which this is said gets no answer to it, and none to anything after."""
        self._deaf_to = word

    def pass_on(self) -> None:
        """New connections get through again; what was swallowed is lost, and so are the connections it was lost on."""
        self._silent, self._deaf_to = False, None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:  # Redis is away, and says so.
            writer.close()
            return
        lost = asyncio.Event()
        asking = asyncio.create_task(self._pass(reader, far_writer, lost, asked=True))
        answering = asyncio.create_task(self._pass(far_reader, writer, lost, asked=False))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if lost.is_set():
                await asyncio.wait({asking})  # That the other side went isn't told either.
        finally:
            for one in (asking, answering):
                one.cancel()
            far_writer.close()
            writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event, *, asked: bool
    ) -> None:
        with suppress(OSError):
            while part := await reader.read(AT_ONCE):
                if self._silent or (asked and self._deaf_to is not None and self._deaf_to in part):
                    lost.set()
                if lost.is_set():
                    self.swallowed += 1
                    continue
                writer.write(part)
                await writer.drain()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
