"""The SearchEngine on Tantivy. Searching and writing run in threads of their own, so that neither holds up the event
loop or the other."""

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.batching import Batcher
from infrastructure.concurrency.work_clock import Wait, waiting
from infrastructure.ports.search import (
    Completion,
    IndexedDocument,
    IndexMissing,
    IndexState,
    Page,
    Rebuilt,
    Spelling,
)
from infrastructure.tantivy.generations.changes import Change
from infrastructure.tantivy.generations.folder import IndexFolder
from infrastructure.tantivy.generations.rebuild import Rebuild
from infrastructure.tantivy.generations.replacement import Return
from infrastructure.tantivy.generations.write_lock import WriteLock
from infrastructure.tantivy.searches.completions import complete
from infrastructure.tantivy.searches.query import search
from infrastructure.tantivy.searches.spellings import spellings
from schemas.search import Filters, SearchQuery, SearchResults

MAX_OPEN_INDEXES = 64
SEARCH_THREADS = 4
WRITE_THREADS = 4
TURN_SECONDS = 30.0

T = TypeVar("T")


class _Waiting(NamedTuple):
    """A change on its way into an index, and its run's wait until it is written."""

    change: Change
    wait: Wait


@dataclass(frozen=True, slots=True)
class _TenantIndex:
    folder: IndexFolder
    turns: WriteLock
    replacing: WriteLock
    """For what replaces generations, which others write meanwhile."""
    waiting: Batcher[_Waiting, None]
    """Changes that come during a commit share the next one."""


class TantivyEngine:
    """Indexes under one home folder. Any number of processes may search them and write them."""

    def __init__(
        self,
        home: Path,
        holds_documents: Callable[[UUID], Awaitable[bool]],
        *,
        turn_seconds: float = TURN_SECONDS,
        most_open: int = MAX_OPEN_INDEXES,
    ) -> None:
        self._home = home
        self._holds_documents = holds_documents
        self._turn_seconds = turn_seconds
        self._most_open = most_open
        self._open: OrderedDict[UUID, _TenantIndex] = OrderedDict()
        self._searching = ThreadPoolExecutor(SEARCH_THREADS, "search")
        self._writing = ThreadPoolExecutor(WRITE_THREADS, "index")

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        await self._change(tenant_id, Change.of(document))

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        await self._change(tenant_id, Change(document_id, version))

    async def _change(self, tenant_id: UUID, change: Change) -> None:
        # Its work is the write. Until then it waits for others' documents, for the index and for a thread.
        with waiting() as wait:
            await self._of(tenant_id).waiting.put(_Waiting(change, wait))

    async def search(self, tenant_id: UUID, query: SearchQuery, *, after: bytes | None = None) -> Page:
        nothing = Page(SearchResults(total=0, hits=()))
        return await self._answer(tenant_id, lambda folder: search(folder, query, after), nothing)

    async def complete(self, tenant_id: UUID, beginning: str, filters: Filters, *, limit: int) -> Sequence[Completion]:
        return await self._answer(tenant_id, lambda folder: complete(folder, beginning, filters, limit), ())

    async def spellings(self, tenant_id: UUID, words: Sequence[str]) -> Sequence[tuple[int, Sequence[Spelling]]]:
        nothing: Sequence[tuple[int, Sequence[Spelling]]] = [(0, ()) for _ in words]
        return await self._answer(tenant_id, lambda folder: spellings(folder, words), nothing)

    async def _answer(self, tenant_id: UUID, ask: Callable[[IndexFolder], T], nothing: T) -> T:
        folder = self._of(tenant_id).folder
        try:
            return await self._read(partial(ask, folder))
        except IndexMissing:
            if await self._holds_documents(tenant_id):
                raise
            return nothing

    async def visible(self, tenant_id: UUID) -> bytes | None:
        return await self._read(self._of(tenant_id).folder.stamp)

    async def rebuild(
        self,
        tenant_id: UUID,
        documents: AsyncIterator[Sequence[IndexedDocument]],
        *,
        unless_there: bool = False,
        golden: Sequence[SearchQuery] = (),
    ) -> Rebuilt | None:
        index = self._of(tenant_id)
        async with _held(index.replacing):
            if unless_there and index.folder.there():
                return None
            began = time.monotonic()
            rebuild = Rebuild(index.folder)
            try:
                await self._write(rebuild.begin)
                generation = rebuild.generation
                async for some in documents:
                    await self._write(partial(rebuild.add, some))
                await self._write(partial(rebuild.verify, golden))
                async with _held(index.turns):
                    count = await self._write(rebuild.publish)
            finally:
                await self._write(rebuild.close)
            return Rebuilt(generation, count, time.monotonic() - began)

    async def roll_back(self, tenant_id: UUID) -> str | None:
        index = self._of(tenant_id)
        async with _held(index.replacing):
            way_back = Return(index.folder)
            if not await self._write(way_back.prepare):
                return None
            async with _held(index.turns):
                return await self._write(way_back.finish)

    async def states(self, tenant_id: UUID) -> Sequence[IndexState]:
        folder = self._of(tenant_id).folder
        return await self._read(lambda: list(folder.states()))

    async def remove(self, tenant_id: UUID) -> bool:
        index = self._of(tenant_id)
        there = index.folder.there()
        async with index.turns.alone():
            await self._write(index.folder.remove)
        return there

    def _of(self, tenant_id: UUID) -> _TenantIndex:
        index = self._open.get(tenant_id)
        if index is None:
            path = self._home / folder_name(tenant_id)
            folder, turns = IndexFolder(path), WriteLock(path, wait_seconds=self._turn_seconds)
            replacing = WriteLock(path, wait_seconds=self._turn_seconds, name="replacing")
            index = _TenantIndex(folder, turns, replacing, Batcher(partial(self._commit, folder, turns), "index"))
            self._open[tenant_id] = index
        self._open.move_to_end(tenant_id)
        # One that is dropped closes when its last search and its last batch end.
        if len(self._open) > self._most_open:
            self._open.popitem(last=False)
        return index

    async def _commit(self, folder: IndexFolder, turns: WriteLock, batch: Sequence[_Waiting]) -> Sequence[None]:
        loop = asyncio.get_running_loop()

        def begin() -> None:
            for one in batch:
                one.wait.over()

        def write() -> None:
            loop.call_soon_threadsafe(begin)
            folder.write([one.change for one in batch])

        async with turns.alone():
            await self._write(write)
        return [None] * len(batch)

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def _write(self, work: Callable[[], T]) -> T:
        """Waits for the work's end even when cancelled: the lock mustn't be released while a thread still writes."""
        working = asyncio.get_running_loop().run_in_executor(self._writing, work)
        cancelled: asyncio.CancelledError | None = None
        while not working.done():
            try:
                await asyncio.wait([working])
            except asyncio.CancelledError as error:
                cancelled = error
        failure = working.exception()
        if cancelled is not None:
            raise cancelled
        if failure is not None:
            raise failure
        return working.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for index in list(self._open.values()):
            await index.waiting.drain()
        await asyncio.to_thread(self._searching.shutdown)
        await asyncio.to_thread(self._writing.shutdown)


@asynccontextmanager
async def _held(lock: WriteLock) -> AsyncIterator[None]:
    """The lock, for the block. To wait for it is no work."""
    async with AsyncExitStack() as held:
        with waiting():
            await held.enter_async_context(lock.alone())
        yield


def folder_name(tenant_id: UUID) -> str:
    """Of fixed length and alphabet, whatever the tenant is called."""
    return base64.b32encode(hashlib.sha256(tenant_id.bytes).digest()[:15]).decode().lower()
