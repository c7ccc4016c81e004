"""The flow of searches around a real engine, and what came of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.http.cursors import Cursors
from infrastructure.ports.search import SearchEngine
from infrastructure.ports.searching import SlowSearch
from infrastructure.searching.answering import Answering
from infrastructure.searching.cache import ResultCache
from infrastructure.searching.preparation import Preparation
from schemas.search import SearchQuery, SearchResults, Synonyms
from tests.contracts.search.searching import ACME

NO_SYNONYMS = Synonyms()


@dataclass
class Watched:
    """Counts what is reported, and holds what was slow."""

    lookups: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    spellings: Counter[str] = field(default_factory=Counter)
    slow: list[tuple[UUID, SlowSearch]] = field(default_factory=list)

    def searched(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1

    def looked_up(self, result: str) -> None:
        self.lookups[result] += 1

    def spelled_otherwise(self, outcome: str) -> None:
        self.spellings[outcome] += 1

    def keep(self, tenant_id: UUID, slow: SlowSearch) -> None:
        self.slow.append((tenant_id, slow))


@dataclass
class Chosen:
    """Synonyms that change when a test says so."""

    by_tenant: Mapping[UUID, Synonyms] = field(default_factory=dict)

    async def of(self, tenant_id: UUID) -> Synonyms:
        return self.by_tenant.get(tenant_id, NO_SYNONYMS)


class Flow:
    def __init__(self, engine: SearchEngine, *, slow_seconds: float = 3_600.0, key: bytes = b"k" * 32) -> None:
        self.engine, self.watched, self.synonyms = engine, Watched(), Chosen()
        self.answering = Answering(
            engine,
            Preparation(self.synonyms),
            ResultCache(self.watched),
            Cursors(key),
            self.watched,
            self.watched,
            slow_seconds,
        )

    async def search(self, text: str | None = None, *, tenant_id: UUID = ACME, **fields: Any) -> SearchResults:
        return await self.answering.answer(tenant_id, SearchQuery.model_validate({"text": text, **fields}))

    async def ids(self, text: str | None = None, **fields: Any) -> list[str]:
        return [hit.document_id for hit in (await self.search(text, **fields)).hits]
