"""What the ingress answers searches with, beside an engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infrastructure.ports.keys import Sealer
from infrastructure.ports.search import SearchEngine
from infrastructure.ports.searching import SignsCursors
from infrastructure.postgres.search.slow_queries import StoredSlowQueries
from infrastructure.postgres.search.synonyms import BelievedSynonyms
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.searching.advising import Advising
from infrastructure.searching.answering import Answering
from infrastructure.searching.cache import ResultCache
from infrastructure.searching.preparation import Preparation
from infrastructure.settings import Settings
from monitoring.metrics import searches


@dataclass(frozen=True, slots=True)
class Searching:
    answering: Answering
    advising: Advising


@asynccontextmanager
async def open_searching(
    settings: Settings, engine: SearchEngine, pool: TenantPool, sealer: Sealer, cursors: SignsCursors
) -> AsyncIterator[Searching]:
    """Slow searches that were handed over are stored when the block ends."""
    preparation = Preparation(BelievedSynonyms(pool))
    async with StoredSlowQueries(pool, sealer) as slow:
        yield Searching(
            Answering(
                engine,
                preparation,
                ResultCache(searches, max_bytes=settings.search_cache_bytes),
                cursors,
                slow,
                searches,
                settings.search_slow_seconds,
            ),
            Advising(engine, preparation),
        )
