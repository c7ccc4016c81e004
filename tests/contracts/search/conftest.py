"""The adapters that the contract of search engines is run on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from infrastructure.ports.search import SearchEngine
from infrastructure.tantivy.engine import TantivyEngine
from tests.contracts.search.searching import ACME, batches

SearchAdapter = Callable[[Path], AbstractAsyncContextManager[SearchEngine]]
"""Opens an engine whose indexes are kept by the folder's name: twice the same folder is twice the same indexes. Of all
tenants, ACME alone has documents."""


@asynccontextmanager
async def tantivy(folder: Path) -> AsyncIterator[SearchEngine]:
    async def holds_documents(tenant_id: UUID) -> bool:
        return tenant_id == ACME

    async with TantivyEngine(folder, holds_documents) as engine:
        yield engine


@pytest.fixture(params=[tantivy], ids=["tantivy"])
def search_adapter(request: pytest.FixtureRequest) -> SearchAdapter:
    chosen: SearchAdapter = request.param
    return chosen


@pytest.fixture
async def engine(search_adapter: SearchAdapter, tmp_path: Path) -> AsyncIterator[SearchEngine]:
    """An engine in which the tenant ACME has an empty index."""
    async with search_adapter(tmp_path) as engine:
        await engine.rebuild(ACME, batches())
        yield engine
