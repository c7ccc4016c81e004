"""The SearchEngine on Tantivy. Searching, writing and rebuilding run in threads of their own, so that none of them holds
up the event loop or the others."""

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID

from infrastructure.batching import Batcher
from infrastructure.ports import IndexedDocument, IndexMissing
from infrastructure.tantivy.folder import IndexFolder
from infrastructure.tantivy.rebuilding import Rebuild
from infrastructure.tantivy.searching import search
from schemas.search import SearchQuery, SearchResults

MOST_OPEN_INDEXES = 64
SEARCH_THREADS = 4
WRITE_THREADS = 4
LOCK_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _TenantIndex:
    folder: IndexFolder
    waiting: Batcher[IndexedDocument, None]
    """What comes while a commit is under way shares the next one."""


class TantivyEngine:
    """Indexes under one home folder. Any number of processes may search them and write them."""

    def __init__(
        self,
        home: Path,
        holds_documents: Callable[[UUID], Awaitable[bool]],
        *,
        lock_seconds: float = LOCK_SECONDS,
        most_open: int = MOST_OPEN_INDEXES,
    ) -> None:
        self._home = home
        self._holds_documents = holds_documents
        self._lock_seconds = lock_seconds
        self._most_open = most_open
        self._open: OrderedDict[UUID, _TenantIndex] = OrderedDict()
        self._searching = ThreadPoolExecutor(SEARCH_THREADS, "search")
        self._writing = ThreadPoolExecutor(WRITE_THREADS, "index")

    async def index(self, tenant_id: UUID, document: IndexedDocument) -> None:
        await self._of(tenant_id).waiting.put(document)

    async def search(self, tenant_id: UUID, query: SearchQuery) -> SearchResults:
        folder = self._of(tenant_id).folder
        try:
            return await self._in(self._searching, lambda: search(folder, query))
        except IndexMissing:
            if await self._holds_documents(tenant_id):
                raise
            return SearchResults(total=0, hits=())

    async def rebuild(
        self, tenant_id: UUID, documents: AsyncIterator[Sequence[IndexedDocument]], *, unless_there: bool = False
    ) -> None:
        rebuild = Rebuild(self._of(tenant_id).folder)
        try:
            if not await self._in(self._writing, lambda: rebuild.begin(unless_there=unless_there)):
                return
            async for some in documents:
                await self._in(self._writing, partial(rebuild.add, some))
            await self._in(self._writing, rebuild.publish)
        finally:
            # Shielded: a cancelled rebuild must still leave the right to write.
            await asyncio.shield(self._in(self._writing, rebuild.close))

    def _of(self, tenant_id: UUID) -> _TenantIndex:
        index = self._open.get(tenant_id)
        if index is None:
            folder = IndexFolder(self._home / folder_name(tenant_id), lock_seconds=self._lock_seconds)
            index = self._open[tenant_id] = _TenantIndex(folder, Batcher(self._write_to(folder), "index"))
        self._open.move_to_end(tenant_id)
        # One that is dropped closes when its last search and its last batch end.
        if len(self._open) > self._most_open:
            self._open.popitem(last=False)
        return index

    def _write_to(self, folder: IndexFolder) -> Callable[[Sequence[IndexedDocument]], Awaitable[Sequence[None]]]:
        async def write(documents: Sequence[IndexedDocument]) -> Sequence[None]:
            await self._in(self._writing, lambda: folder.write(documents))
            return [None] * len(documents)

        return write

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

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
