"""A process that builds a tenant's index and never comes to its end: `python -m tests.elasticsearch.builder URL APP DATABASE REDIS
TENANT`. It prints a line once it has written a document, and waits to be killed."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from infrastructure.ports.search import IndexedDocument
from tests.contracts.search.searching import document
from tests.elasticsearch.engine import elasticsearch_engine


async def main(url: str, app: str, database_url: str, redis_url: str, tenant: str) -> None:
    async with elasticsearch_engine(url, app, database_url, redis_url) as engine:
        await engine.rebuild(UUID(tenant), _endless())


async def _endless() -> AsyncIterator[Sequence[IndexedDocument]]:
    yield [document("half", "word")]
    print("building", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
