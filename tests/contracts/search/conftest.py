"""The adapters that the contract of search engines is run on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from infrastructure.elasticsearch.engine import Ways
from infrastructure.ports.search import SearchEngine
from infrastructure.tantivy.engine import TantivyEngine
from tests.contracts.search.searching import ACME, batches
from tests.elasticsearch.engine import QUICK, elasticsearch_engine
from tests.elasticsearch.fixtures import remove_indices

SearchAdapter = Callable[[Path], AbstractAsyncContextManager[SearchEngine]]
"""Opens an engine whose indexes are kept by the folder's name: twice the same folder is twice the same indexes. Of all
tenants, ACME alone has documents."""


@asynccontextmanager
async def tantivy(folder: Path) -> AsyncIterator[SearchEngine]:
    async def holds_documents(tenant_id: UUID) -> bool:
        return tenant_id == ACME

    async with TantivyEngine(folder, holds_documents) as engine:
        yield engine


class OnElasticsearch:
    """One index server, database and Redis for all of a test's folders, of which there is one at a time."""

    def __init__(self, url: str, app: str, database_url: str, redis_url: str, ways: Ways = QUICK) -> None:
        self._url = url
        self._app = app
        self._database_url = database_url
        self._redis_url = redis_url
        self._ways = ways
        self._folder: Path | None = None

    @asynccontextmanager
    async def __call__(self, folder: Path) -> AsyncIterator[SearchEngine]:
        if folder != self._folder:
            self._empty()
            self._folder = folder
        async with elasticsearch_engine(
            self._url,
            self._app,
            self._database_url,
            self._redis_url,
            holds_documents=lambda one: one == ACME,
            ways=self._ways,
        ) as engine:
            yield engine

    def _empty(self) -> None:
        remove_indices(self._url, self._app)
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            connection.execute("TRUNCATE search_locations, search_generations")


@pytest.fixture(params=["tantivy", "elasticsearch"])
def search_adapter(request: pytest.FixtureRequest) -> SearchAdapter:
    if request.param == "tantivy":
        return tantivy
    needed = ("elasticsearch_url", "elasticsearch_app", "database_url", "redis_url")
    return OnElasticsearch(*map(request.getfixturevalue, needed))


@pytest.fixture
async def engine(search_adapter: SearchAdapter, tmp_path: Path) -> AsyncIterator[SearchEngine]:
    """An engine in which the tenant ACME has an empty index."""
    async with search_adapter(tmp_path) as engine:
        await engine.rebuild(ACME, batches())
        yield engine
