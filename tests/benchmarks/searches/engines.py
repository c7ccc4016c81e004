"""An engine of ours beside its own client called bare, over one index."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from infrastructure.elasticsearch.engine import Ways
from infrastructure.ports.search import IndexedDocument, SearchEngine
from infrastructure.tantivy.calendar import period_field
from infrastructure.tantivy.engine import TantivyEngine, folder_name
from infrastructure.tantivy.generations.folder import IndexFolder
from schemas.search import CalendarPeriod
from tests.benchmarks.searches import bare_elasticsearch, bare_tantivy
from tests.benchmarks.searches.corpus import TENANT
from tests.elasticsearch.distribution import distribution
from tests.elasticsearch.engine import client_of, elasticsearch_engine
from tests.elasticsearch.node import Node

Batches = Sequence[Sequence[IndexedDocument]]
MONTH: Final = period_field(CalendarPeriod.MONTH)


@dataclass(frozen=True, slots=True)
class Beside:
    name: str
    engine: SearchEngine
    ask_bare: Callable[[str], Awaitable[int]]
    """A full page; how many hits there are in all."""
    index_bare: Callable[[Batches], Awaitable[None]]
    """Into an index of its own, which is empty."""


@asynccontextmanager
async def tantivy(folder: Path) -> AsyncIterator[Beside]:
    async def holds(_: UUID) -> bool:
        return True

    async with TantivyEngine(folder, holds) as engine:
        place = IndexFolder(folder / folder_name(TENANT))

        async def ask(text: str) -> int:
            # In a thread, or whoever else the process serves would wait.
            page = await asyncio.to_thread(lambda: bare_tantivy.full_page(place.view().searcher, MONTH, text))
            return int(page["total"])

        async def index(batches: Batches) -> None:
            with tempfile.TemporaryDirectory(dir=folder.parent) as other:
                bare_tantivy.indexed(bare_tantivy.opened(Path(other)), batches)

        yield Beside("Tantivy", engine, ask, index)


@asynccontextmanager
async def elasticsearch(folder: Path, database_url: str, redis_url: str) -> AsyncIterator[Beside]:
    """Compiled as a server in use is. NotHere where none can be had."""
    node = Node(folder / "node", distribution(), settings={"discovery.type": "single-node"}, java_options="")
    try:
        node.start()
        async with (
            client_of(node.url) as client,
            elasticsearch_engine(node.url, "bench", database_url, redis_url, ways=Ways()) as engine,
        ):

            async def ask(text: str) -> int:
                (state,) = [one for one in await engine.states(TENANT) if one.answers] if not names else [None]
                if state is not None:
                    names.extend((await client.indices.get(index=f"{state.name}-*")).body)
                answer: Any = await bare_elasticsearch.full_page(client, names[0], text)
                return int(answer["hits"]["total"]["value"])

            async def index(batches: Batches) -> None:
                like = next(iter((await client.indices.get(index="bench-*")).body))
                other = like[: like.rindex("-")] + "-999999"
                await client.options(ignore_status=404).indices.delete(index=other)
                await client.indices.create(index=other)
                await bare_elasticsearch.indexed(client, other, batches)
                await client.indices.delete(index=other)

            names: list[str] = []
            yield Beside("Elasticsearch", engine, ask, index)
    finally:
        node.kill()
