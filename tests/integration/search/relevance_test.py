"""The relevance probe says what searches find: it falls as an index loses documents, on each engine, and rises as they come
back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from bucatini.testing import RecordedRun
from infrastructure.ports.search import IndexedDocument, SearchIndex
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.search.known_items import StoredKnownItems
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings, load
from infrastructure.wiring import keyring, sealed_objects, search_engine
from monitoring.metrics.registry import registry
from monitoring.metrics.relevance import Outcome
from schemas.search import IndexDocument
from tests.tenancy import make_tenant
from workers.search.indexing import index_document
from workers.search.relevance import RelevanceProbe
from workers.search.writing import Indexing

pytestmark = pytest.mark.anyio
TITLES = ("Lease of an office", "Employment contract", "Minutes of the board", "Purchase order")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Probed:
    """A search pool with its probe, which never waits."""

    settings: Settings
    documents: IndexedDocuments
    engine: SearchIndex
    known: StoredKnownItems
    probe: RelevanceProbe
    tenant_id: UUID

    async def index(self, *titles: str, tenant_id: UUID | None = None) -> None:
        for number, title in enumerate(titles):
            command = IndexDocument.model_validate(
                {"document_id": f"d{number}", "title": title, "text": "Of no matter.", "document_type": "contract"}
            )
            run = RecordedRun(tenant_id or self.tenant_id)
            await index_document(command, run, Indexing(self.documents, self.engine))

    async def lose_all_but(self, *document_ids: str) -> None:
        """As a broken index does: the others are to be found, and aren't."""
        await self.engine.remove(self.tenant_id)
        await self.engine.rebuild(self.tenant_id, self._some(document_ids))

    async def _some(self, document_ids: Sequence[str]) -> AsyncIterator[Sequence[IndexedDocument]]:
        async for some in self.documents.of(self.tenant_id, document_ids):
            yield [one for one in some if isinstance(one, IndexedDocument)]

    async def rebuild(self) -> None:
        await self.engine.rebuild(self.tenant_id, self.documents.all_of(self.tenant_id))

    async def round(self) -> tuple[float | None, dict[Outcome, int]]:
        """What the gauge says after another round, and what the round counted."""
        before = _counted()
        await self.probe.round()
        counted = {outcome: number - before[outcome] for outcome, number in _counted().items()}
        labels: dict[str, str] = {"engine": self.settings.chosen_search_engine}
        gauge = registry.get_sample_value("bucatini_search_relevance_probe_mrr", labels)
        return gauge, {outcome: number for outcome, number in counted.items() if number}


@pytest.fixture(params=["tantivy", "elasticsearch"])
def settings(request: pytest.FixtureRequest, database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    chosen = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "BUCATINI_HOME": str(tmp_path)}
    if request.param == "elasticsearch":
        chosen |= {
            "ELASTICSEARCH_URL": request.getfixturevalue("elasticsearch_url"),
            "ELASTICSEARCH_APP": request.getfixturevalue("elasticsearch_app"),
        }
    return load(chosen)


@pytest.fixture
async def probed(settings: Settings) -> AsyncIterator[Probed]:
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(TenantPool(settings.database, "test"))
        sealer = await resources.enter_async_context(keyring(settings))
        engine = await resources.enter_async_context(search_engine(settings))
        known = await resources.enter_async_context(StoredKnownItems(settings.database, pool))
        documents = IndexedDocuments(pool, sealer, sealed_objects(settings))
        probe = RelevanceProbe(known, engine, settings.chosen_search_engine, settling_seconds=0.0)
        yield Probed(settings, documents, engine, known, probe, make_tenant(settings.database))


async def test_it_falls_as_the_index_loses_documents_and_rises_as_it_is_rebuilt(probed: Probed) -> None:
    await probed.index(*TITLES)
    assert await probed.round() == (1.0, {Outcome.FIRST: 4})

    await probed.lose_all_but("d1", "d3")
    assert await probed.round() == (0.5, {Outcome.FIRST: 2, Outcome.MISSED: 2})

    await probed.rebuild()
    assert await probed.round() == (1.0, {Outcome.FIRST: 4})


async def test_it_is_nothing_when_the_whole_index_is_lost(probed: Probed) -> None:
    await probed.index(*TITLES)
    await probed.engine.remove(probed.tenant_id)

    assert await probed.round() == (0.0, {Outcome.MISSED: 4})


async def test_a_document_that_others_come_before_counts_by_its_place(probed: Probed) -> None:
    await probed.index("Lease", "Lease lease lease")

    gauge, counted = await probed.round()

    ranks = [1.0] * counted.get(Outcome.FIRST, 0) + [0.5] * counted.get(Outcome.LOWER, 0)
    assert len(ranks) == 2, "both are found, whichever comes first"
    assert gauge == sum(ranks) / 2


async def test_documents_of_the_same_title_do_not_count_against_each_other(probed: Probed) -> None:
    await probed.index(*["Invoice"] * 5)
    assert await probed.round() == (1.0, {Outcome.FIRST: 5})

    await probed.lose_all_but("d0", "d1", "d2", "d4")
    assert await probed.round() == (0.8, {Outcome.FIRST: 4, Outcome.MISSED: 1})


async def test_what_is_not_to_be_found_is_not_looked_for(probed: Probed) -> None:
    await probed.index(*TITLES)
    await probed.engine.take_out(probed.tenant_id, "d1", 1, 0)
    with psycopg.connect(probed.settings.database) as connection:
        connection.execute("UPDATE documents SET indexed_version = NULL WHERE document_id = 'd1'")

    assert await probed.round() == (1.0, {Outcome.FIRST: 3})


async def test_each_round_is_another_tenants_and_costs_the_same_however_many_documents_it_has(probed: Probed) -> None:
    other = make_tenant(probed.settings.database)
    await probed.index(*TITLES)
    await probed.index(*(f"Report {number}" for number in range(30)), tenant_id=other)

    looked_at = [sum((await probed.round())[1].values()) for _ in range(4)]

    assert sorted(looked_at) == [4, 4, 20, 20]
    assert looked_at[0] != looked_at[1]


def _counted() -> dict[Outcome, int]:
    name = "bucatini_search_relevance_probe_documents_total"
    return {one: int(registry.get_sample_value(name, {"outcome": one}) or 0) for one in Outcome}
