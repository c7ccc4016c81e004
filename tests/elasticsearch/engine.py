"""An engine on the real server, as a process has it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from elasticsearch import AsyncElasticsearch
from pydantic import SecretStr

from infrastructure.elasticsearch.access import Keys
from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.engine import ElasticsearchEngine, Ways
from infrastructure.elasticsearch.writing.congestion import Congestion
from infrastructure.postgres.search.locations import StoredLocations
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.redis.client import connect
from infrastructure.redis.search_changes import SearchChanges
from infrastructure.settings import Settings
from schemas.search import AllTerms, SearchQuery

QUICK = Ways(refresh_seconds=0.01)
"""A test that waits for nothing else needn't wait for others' documents."""


@asynccontextmanager
async def elasticsearch_engine(
    urls: str,
    app: str,
    database_url: str,
    redis_url: str,
    *,
    holds_documents: Callable[[UUID], bool] = lambda _: True,
    ways: Ways = QUICK,
    keys: Keys | None = None,
    account: tuple[str, str] | None = None,
    congestion: Congestion | None = None,
    request_seconds: float = 30.0,
) -> AsyncIterator[ElasticsearchEngine]:
    async def holds(tenant_id: UUID) -> bool:
        return holds_documents(tenant_id)

    async with AsyncExitStack() as resources:
        client = await resources.enter_async_context(client_of(urls, account=account, request_seconds=request_seconds))
        pool = await resources.enter_async_context(TenantPool(database_url, "search engine", size=4))
        redis = connect(redis_url)
        resources.push_async_callback(redis.aclose)
        locations = await resources.enter_async_context(StoredLocations(database_url, pool))
        engine = ElasticsearchEngine(
            client,
            app,
            locations,
            SearchChanges(redis),
            holds,
            keys=keys,
            ways=ways,
            congestion=congestion,
        )
        yield await resources.enter_async_context(engine)


@asynccontextmanager
async def client_of(
    urls: str, *, account: tuple[str, str] | None = None, request_seconds: float = 30.0
) -> AsyncIterator[AsyncElasticsearch]:
    user, password = account or (None, None)
    settings = Settings(
        elasticsearch_url=SecretStr(urls),
        elasticsearch_user=user,
        elasticsearch_password=None if password is None else SecretStr(password),
        elasticsearch_seconds=request_seconds,
    )
    async with elasticsearch(settings) as client:
        yield client


def ask(url: str, method: str, path: str, body: Any = None) -> Any:
    """One request, past our own client; what it answers."""
    with httpx.Client(base_url=url.split(",")[0], trust_env=False, timeout=60) as http:
        answer = http.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json()


async def versions(engine: ElasticsearchEngine, tenant_id: UUID) -> dict[str, int]:
    """Of all documents that have `word`."""
    results = (await engine.search(tenant_id, SearchQuery(match=AllTerms(text="word"), limit=100))).results
    assert results.total == len(results.hits)
    return {hit.document_id: hit.version for hit in results.hits}
