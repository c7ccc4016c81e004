"""A worker's hold on the processes that read documents: the fork server, and its children."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import Self
from uuid import UUID

import orjson

from infrastructure.extraction import frames
from infrastructure.extraction.child.protocol import FORK, READY, STATUS
from infrastructure.extraction.limits import ExtractionLimits
from infrastructure.extraction.recognition import Hints
from infrastructure.ports import Unavailable
from infrastructure.ports.extraction import Extraction

START_SECONDS = 60.0
END_SECONDS = 10.0
GRACE_SECONDS = 15.0
"""For a child to be ended by its own clock, before the worker ends it."""
PROGRAM = ("-I", "-m", "infrastructure.extraction.child.fork_server")
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
"""All that the processes get: whoever takes one over finds no address and no secret of ours. A process that forks must
have one thread, which numpy's libraries are told so."""


class ChildEnded(Exception):
    """The child ended before it answered. `status` is as `os.waitpid` has it; None if nobody could see how it ended."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the child ended with status {status}")
        self.status = status

    @property
    def signal(self) -> int | None:
        return os.WTERMSIG(self.status) if self.status is not None and os.WIFSIGNALED(self.status) else None


class TooLarge(Exception):
    """The content has more bytes than are taken."""


class ForkServer:
    """The fork server's process. It ends with the worker, and its children with it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, limits: ExtractionLimits) -> None:
        self._process = process
        self._control = control
        self._limits = limits

    @classmethod
    async def start(cls, limits: ExtractionLimits) -> Self:
        """Returns when it has loaded the libraries, which takes a second or two. Unavailable when it can't."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *PROGRAM,
                    orjson.dumps(asdict(limits)).decode(),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(f"the fork server for documents can't be started: {error.strerror}") from None
        except BaseException:  # Cancelled, too: the socket has no other owner yet.
            ours.close()
            raise
        server = cls(process, ours, limits)
        try:
            async with asyncio.timeout(START_SECONDS):
                ready = await asyncio.get_running_loop().sock_recv(ours, len(READY))
        except BaseException as error:
            await asyncio.shield(server.close())
            if isinstance(error, TimeoutError | OSError):
                raise Unavailable("the fork server for documents didn't start") from None
            raise
        if ready != READY:
            await server.close()
            raise Unavailable("the fork server for documents ended as it started: its own output says why")
        return server

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def child(self, tenant_id: UUID) -> "Child":
        """A fresh child, for this tenant's documents only. Unavailable when the server is gone."""
        channel, its_channel = socket.socketpair()
        lifeline, its_lifeline = socket.socketpair()
        with its_channel, its_lifeline:
            try:
                socket.send_fds(self._control, [FORK], [its_channel.fileno(), its_lifeline.fileno()])
            except OSError:
                channel.close()
                lifeline.close()
                raise Unavailable("the fork server for documents is gone") from None
        lifeline.setblocking(False)
        try:
            reader, writer = await asyncio.open_unix_connection(sock=channel, limit=frames.CHUNK_BYTES)
        except BaseException:  # Cancelled, too: or the child would wait for a caller that has left.
            channel.close()
            lifeline.close()  # which ends the child
            raise
        return Child(tenant_id, reader, writer, lifeline, self._limits)

    async def close(self) -> None:
        """Ends the process and its children, and returns when they are gone. Safe to repeat."""
        self._control.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class Child:
    """A process that reads one tenant's documents, one at a time."""

    def __init__(
        self,
        tenant_id: UUID,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lifeline: socket.socket,
        limits: ExtractionLimits,
    ) -> None:
        self.tenant_id = tenant_id
        self._reader = reader
        self._writer = writer
        self._lifeline = lifeline
        self._limits = limits

    @property
    def is_alive(self) -> bool:
        return not self._reader.at_eof()

    async def read(self, hints: Hints, content: bytes | AsyncIterable[bytes]) -> tuple[Extraction, bool]:
        """The outcome, and whether the child can be used again. If anything is raised, end the child: ChildEnded, TooLarge,
        AnswerInvalid, TimeoutError, or what the content raises."""
        await self._send(hints, content)
        async with asyncio.timeout(self._limits.wall_seconds + GRACE_SECONDS):
            try:
                return await frames.read_answer(self._reader.readexactly, self._limits.text_bytes)
            except (asyncio.IncompleteReadError, OSError):
                raise ChildEnded(await self._status()) from None

    async def _send(self, hints: Hints, content: bytes | AsyncIterable[bytes]) -> None:
        sent = 0
        self._writer.write(frames.request(hints))
        async for part in _parts_of(content):
            sent += len(part)
            if sent > self._limits.content_bytes:
                raise TooLarge
            await self._write(frames.chunk(part))
        await self._write(frames.chunk(b""))

    async def _write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise ChildEnded(await self._status()) from None

    async def end(self) -> None:
        """Kills the process if it lives, and returns when it is gone. Safe to repeat."""
        if self._lifeline.fileno() < 0:
            return
        with suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            await self._status()
        self._lifeline.close()
        self._writer.close()

    async def _status(self) -> int | None:
        """How the process ended, once it has."""
        async with asyncio.timeout(END_SECONDS):
            try:
                status = await asyncio.get_running_loop().sock_recv(self._lifeline, STATUS.size)
            except OSError:
                return None
        return STATUS.unpack(status)[0] if len(status) == STATUS.size else None


async def _parts_of(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Neither empty, which would end the content, nor larger than is sent at once."""
    if isinstance(content, bytes):
        for begin in range(0, len(content), frames.CHUNK_BYTES):
            yield content[begin : begin + frames.CHUNK_BYTES]
        return
    async for part in content:
        for begin in range(0, len(part), frames.CHUNK_BYTES):
            yield bytes(part[begin : begin + frames.CHUNK_BYTES])
