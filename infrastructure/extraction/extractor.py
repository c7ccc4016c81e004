"""Reads documents in child processes: what a document does there, it does to itself.

A child reads documents of one tenant only. It is ended by whatever isn't an orderly answer, so that no document meets
what another left behind, and replaced by a fork that has the libraries loaded already.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterable, Callable
from types import TracebackType
from typing import Self
from uuid import UUID

from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.work_clock import at_work, waiting
from infrastructure.extraction.frames import AnswerInvalid
from infrastructure.extraction.limits import MIB, ExtractionLimits
from infrastructure.extraction.processes import Child, ChildEnded, ForkServer, TooLarge
from infrastructure.extraction.recognition import Hints
from infrastructure.ports import Unavailable
from infrastructure.ports.extraction import Extracted, Extraction, NotExtracted, Reason

Report = Callable[[str, str, float], None]
"""Is given each document's format (`unknown` if it has none of ours), its outcome (`extracted`, or the reason), and the
seconds it took in its child."""

EXTRACTED = "extracted"
UNKNOWN = "unknown"


def _no_report(_format: str, _outcome: str, _seconds: float) -> None:
    pass


class ReaderKilled(Unavailable):
    """Something outside killed the child that read the document, or its fork server. Repeating is safe."""


class ChildExtractor:
    """The TextExtractor port. As many documents at a time as it has children; tenants in turn."""

    def __init__(
        self, limits: ExtractionLimits | None = None, *, children: int = 2, report: Report = _no_report
    ) -> None:
        self._limits = limits or ExtractionLimits()
        self._children = children
        self._report = report
        self._places = FairPlaces(children)
        self._idle: list[Child] = []
        self._reading = 0
        self._server: ForkServer | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def extract(
        self,
        tenant_id: UUID,
        content: bytes | AsyncIterable[bytes],
        *,
        file_name: str | None = None,
        media_type: str | None = None,
    ) -> Extraction:
        """See the port. ReaderKilled, which is Unavailable, when something outside ended the child."""
        run = at_work.get()
        with waiting() as wait:
            async with self._places.one(NORMAL_STEP if run is None else run.step, tenant_id):
                self._reading += 1
                try:
                    child = await self._child_of(tenant_id)
                    wait.over()
                    begun_at = time.monotonic()
                    extraction = await self._read(child, Hints(file_name, media_type), content)
                    self._settle(extraction, time.monotonic() - begun_at)
                    return extraction
                finally:
                    self._reading -= 1

    async def warm(self) -> None:
        """Loads the libraries now. Unavailable when that fails."""
        await self._server_alive()

    async def close(self) -> None:
        """Ends every process, with the documents they may be in. Safe to repeat."""
        self._closed = True
        async with self._starting:
            await self._end_server()

    async def _read(self, child: Child, hints: Hints, content: bytes | AsyncIterable[bytes]) -> Extraction:
        reusable = False
        try:
            extraction, reusable = await child.read(hints, content)
            return extraction
        except ChildEnded as ended:
            return self._outcome_of(ended)
        except TooLarge:
            return NotExtracted(Reason.TOO_LARGE, f"At most {self._limits.content_bytes // MIB:,} MiB are taken.")
        except TimeoutError:
            return self._too_long()
        except AnswerInvalid:
            return _crashed()
        finally:
            if reusable and not self._closed:
                self._idle.append(child)
            else:
                # Shielded: the child must be gone when this returns, also when it is cancelled.
                await asyncio.shield(child.end())

    def _outcome_of(self, ended: ChildEnded) -> NotExtracted:
        match ended.signal:
            case signal.SIGALRM | signal.SIGXCPU:
                return self._too_long()
            case signal.SIGABRT:
                # What native libraries do when they get no memory. They have few other reasons to.
                detail = f"It took more than {self._limits.memory_bytes // MIB:,} MiB."
                return NotExtracted(Reason.USED_TOO_MUCH_MEMORY, detail)
            case signal.SIGKILL:
                raise ReaderKilled("the process that read the document was killed") from ended
            case None if ended.status is None:
                raise ReaderKilled("the fork server for documents was killed") from ended
            case _:
                return _crashed()

    def _too_long(self) -> NotExtracted:
        limits = self._limits
        return NotExtracted(
            Reason.TOOK_TOO_LONG,
            f"It took more than {limits.cpu_seconds:g} s of a processor, or {limits.wall_seconds:g} s in all.",
        )

    def _settle(self, extraction: Extraction, seconds: float) -> None:
        outcome = EXTRACTED if isinstance(extraction, Extracted) else extraction.reason
        self._report(extraction.format or UNKNOWN, outcome, seconds)

    async def _child_of(self, tenant_id: UUID) -> Child:
        """One that has read for this tenant, or a fresh one in the place of one that has read for another."""
        server = await self._server_alive()
        if (child := await self._idle_child_of(tenant_id)) is not None:
            return child
        while len(self._idle) > self._children - self._reading:
            await self._idle.pop(0).end()
        return await server.child(tenant_id)

    async def _idle_child_of(self, tenant_id: UUID) -> Child | None:
        for child in self._idle[::-1]:
            if child.tenant_id == tenant_id:
                self._idle.remove(child)
                if child.is_alive:
                    return child
                await child.end()
        return None

    async def _server_alive(self) -> ForkServer:
        async with self._starting:
            if self._closed:
                raise Unavailable("the extraction of this worker is closed; another worker takes the job")
            if self._server is not None and not self._server.is_alive:
                await self._end_server()
            if self._server is None:
                self._server = await ForkServer.start(self._limits)
            return self._server

    async def _end_server(self) -> None:
        server, self._server = self._server, None
        idle, self._idle = self._idle, []
        if server is not None:
            await server.close()
        for child in idle:
            await child.end()


def _crashed() -> NotExtracted:
    return NotExtracted(Reason.CRASHED, "Its reader crashed at it: save it again with the program that made it.")
