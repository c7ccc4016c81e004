"""The SearchEngine on Tantivy. Searching and writing run in threads of their own, so that neither holds up the event
loop or the other."""

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.batching import Batcher
from infrastructure.concurrency.work_clock import Wait, waiting
from infrastructure.ports.search import IndexedDocument, IndexMissing
from infrastructure.tantivy.folder import Change, Deletion, IndexFolder
from infrastructure.tantivy.query import search
from infrastructure.tantivy.rebuild import Rebuild
from infrastructure.tantivy.write_lock import WriteLock
from schemas.search import SearchQuery, SearchResults

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
        await self._change(tenant_id, document)

    async def delete(self, tenant_id: UUID, document_id: str, version: int) -> None:
        await self._change(tenant_id, Deletion(document_id, version))

    async def _change(self, tenant_id: UUID, change: Change) -> None:
        # Its work is the write. Until then it waits for others' documents, for the index and for a thread.
        with waiting() as wait:
            await self._of(tenant_id).waiting.put(_Waiting(change, wait))

    async def search(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        folder = self._of(tenant_id).folder
        try:
            return await self._search(lambda: search(folder, query))
        except IndexMissing:
            if await self._holds_documents(tenant_id):
                raise
            return SearchResults(total=0, hits=())

    async def rebuild(
        self, tenant_id: UUID, documents: AsyncIterator[Sequence[IndexedDocument]], *, unless_there: bool = False
    ) -> None:
        index = self._of(tenant_id)
        async with AsyncExitStack() as held:
            with waiting():
                await held.enter_async_context(index.turns.alone())
            if unless_there and index.folder.there():
                return
            rebuild = Rebuild(index.folder)
            try:
                await self._write(rebuild.begin)
                async for some in documents:
                    await self._write(partial(rebuild.add, some))
                await self._write(rebuild.publish)
            finally:
                await self._write(rebuild.close)

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
            index = _TenantIndex(folder, turns, Batcher(partial(self._commit, folder, turns), "index"))
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

    async def _search(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def _write(self, work: Callable[[], None]) -> None:
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for index in list(self._open.values()):
            await index.waiting.drain()
        await asyncio.to_thread(self._searching.shutdown)
        await asyncio.to_thread(self._writing.shutdown)


def folder_name(tenant_id: UUID) -> str:
    """Of fixed length and alphabet, whatever the tenant is called."""
    return base64.b32encode(hashlib.sha256(tenant_id.bytes).digest()[:15]).decode().lower()
