"""Both engines, each with the judged library."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from infrastructure.ports.search import SearchEngine
from tests.contracts.search.conftest import OnElasticsearch, tantivy
from tests.contracts.search.searching import ACME, batches
from tests.quality.search.library import judged_library


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SearchEngine]:
    async with tantivy(tmp_path / "embedded") as engine:
        await engine.rebuild(ACME, batches(*judged_library().documents))
        yield engine


@pytest.fixture
async def server(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[SearchEngine]:
    adapter = OnElasticsearch(elasticsearch_url, elasticsearch_app, database_url, redis_url)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(adapter(tmp_path / "server"))
        await engine.rebuild(ACME, batches(*judged_library().documents))
        yield engine
