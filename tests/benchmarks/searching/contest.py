"""The product and its peer on one engine, both on one index of many documents."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from api.http.cursors import Cursors
from infrastructure.elasticsearch.engine import Ways
from infrastructure.elasticsearch.querying.compiler import EVERYTHING, compile_match
from infrastructure.elasticsearch.querying.facets import aggregations
from infrastructure.elasticsearch.querying.filters import compile_filters
from infrastructure.elasticsearch.querying.hits import highlighting
from infrastructure.ports.search import IndexedDocument, SearchEngine
from infrastructure.searching.answering import Answering
from infrastructure.searching.cache import MAX_BYTES, ResultCache
from infrastructure.searching.preparation import Preparation
from infrastructure.tantivy.engine import TantivyEngine, folder_name
from infrastructure.tantivy.generations.folder import IndexFolder
from infrastructure.tantivy.searches.filters import compile_filters as tantivy_filters
from infrastructure.tantivy.searches.query import wanted_by
from schemas.search import SearchQuery
from tests.benchmarks.searching.bare import Bare
from tests.benchmarks.searching.bare_elasticsearch import BareElasticsearch
from tests.benchmarks.searching.bare_tantivy import BareTantivy
from tests.benchmarks.searching.corpus import LANGUAGES, batches
from tests.benchmarks.stage import Show, Stage
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.engine import client_of, elasticsearch_engine
from tests.elasticsearch.node import Node
from tests.integration.search.flow import Chosen, Watched

TENANT = UUID(int=1)
CALLERS = 16
ELASTICSEARCH_JAVA = "-Xms1g -Xmx1g"
"""Compiled as it is in earnest, unlike the servers of tests, which start quickly."""


@dataclass(frozen=True, slots=True)
class Contest:
    name: str
    engine: SearchEngine
    bare: Bare
    compile: Callable[[SearchQuery], object]
    """Makes the engine's own query of a prepared one, without asking it."""
    seconds_to_build: float
    """Of the product's index that both read."""

    def answering(self, watched: Watched, *, cache_bytes: int = MAX_BYTES) -> Answering:
        """The way of a search behind the door, as the API has it."""
        preparation, cache = Preparation(Chosen()), ResultCache(watched, max_bytes=cache_bytes)
        return Answering(self.engine, preparation, cache, Cursors(b"k" * 32), watched, watched, slow_seconds=3_600.0)


@asynccontextmanager
async def on_tantivy(folder: Path, documents: int) -> AsyncIterator[Contest]:
    home = folder / "product"
    async with TantivyEngine(home, _holds_documents) as engine:
        seconds = await _fill(engine, documents)
        index = IndexFolder(home / folder_name(TENANT))
        bare = BareTantivy(index.current(), folder / "bare", CALLERS)

        def compile_for(query: SearchQuery) -> object:
            facets = [list(tantivy_filters(query.filters, but=field)) for field in query.facets]
            return wanted_by(query, searcher), facets

        searcher = index.view().searcher
        try:
            yield Contest("Tantivy", engine, bare, compile_for, seconds)
        finally:
            bare.close()


@asynccontextmanager
async def on_elasticsearch(url: str, show: Show, stage: Stage, documents: int) -> AsyncIterator[Contest]:
    async with AsyncExitStack() as resources:
        client = await resources.enter_async_context(client_of(url))
        opened = elasticsearch_engine(url, f"b{uuid4().hex[:8]}", show.database_url, stage.redis_url, ways=Ways())
        engine = await resources.enter_async_context(opened)
        seconds = await _fill(engine, documents)
        found = await client.indices.get(index="b*-documents-g*", filter_path="*.aliases")
        (index,) = found.body
        bare = await BareElasticsearch.beside(client, index)
        yield Contest("Elasticsearch", engine, bare, _compile_for_elasticsearch, seconds)


@contextmanager
def elasticsearch_node(folder: Path, distribution: Distribution) -> Iterator[Node]:
    single: dict[str, object] = {"discovery.type": "single-node"}
    node = Node(folder / "elasticsearch", distribution, settings=single, java_options=ELASTICSEARCH_JAVA)
    try:
        node.start()
        yield node
    finally:
        node.kill()


async def _fill(engine: SearchEngine, documents: int) -> float:
    rebuilt = await engine.rebuild(TENANT, in_batches(batches("document", documents)))
    assert rebuilt is not None, "it was asked for whatever is there"
    assert rebuilt.documents == documents, f"{rebuilt.documents} of {documents} documents are in the index"
    return rebuilt.seconds


async def in_batches(several: Iterable[Sequence[IndexedDocument]]) -> AsyncIterator[Sequence[IndexedDocument]]:
    for batch in several:
        yield batch


async def _holds_documents(_: UUID) -> bool:
    return True


def _compile_for_elasticsearch(query: SearchQuery) -> object:
    wanted = EVERYTHING if query.match is None else compile_match(query.match, LANGUAGES)
    filters = list(compile_filters(query.filters))
    return wanted, aggregations(query, filters), highlighting(query, LANGUAGES, wanted)
