"""Documents go through real PostgreSQL into a real index, whatever the order and however often their jobs run."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from bucatini.testing import RecordedRun
from events.search import DocumentIndexed
from infrastructure.ports.search import IndexedDocument, IndexMissing, SearchIndex
from infrastructure.postgres.search.documents import IndexedDocuments
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings, load
from infrastructure.wiring import keyring, sealed_objects, search_engine
from schemas.search import AllTerms, Hit, IndexDocument, SearchQuery, SentDocument
from tests.system import System
from tests.tenancy import make_tenant
from tests.waiting import wait_until
from workers.search.indexing import index_document
from workers.search.writing import Indexing

pytestmark = pytest.mark.anyio
SECRET = "the lease is confidential"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Search:
    """What a search worker has, and a tenant who uses it."""

    documents: IndexedDocuments
    lines: TenantPool
    engine: SearchIndex
    tenant_id: UUID
    home: Path

    async def index(self, run: RecordedRun | None = None, **fields: object) -> DocumentIndexed:
        indexed = await index_document(lease(**fields), run or self.run(), self.indexing)
        assert isinstance(indexed, DocumentIndexed)
        return indexed

    @property
    def indexing(self) -> Indexing:
        return Indexing(self.documents, self.engine)

    async def rebuild(self) -> None:
        await self.engine.rebuild(self.tenant_id, self.documents.all_of(self.tenant_id))

    def run(self) -> RecordedRun:
        return RecordedRun(self.tenant_id)

    async def hits(self, text: str | None = None) -> list[Hit]:
        query = SearchQuery(match=AllTerms(text=text) if text else None, limit=100)
        return list((await self.engine.search(self.tenant_id, query)).results.hits)

    async def found(self, text: str | None = None) -> list[str]:
        return sorted(hit.document_id for hit in await self.hits(text))


def lease(**fields: object) -> IndexDocument:
    plain = {"document_id": "lease-1", "title": "Lease", "text": SECRET, "document_type": "contract", "language": "en"}
    return IndexDocument.model_validate({**plain, **fields})


def sent(**fields: object) -> SentDocument:
    source = lease(**fields).source
    assert isinstance(source, SentDocument)
    return source


@asynccontextmanager
async def a_search(settings: Settings, tenant_id: UUID) -> AsyncIterator[Search]:
    async with AsyncExitStack() as resources:
        lines = await resources.enter_async_context(TenantPool(settings.database, "test"))
        sealer = await resources.enter_async_context(keyring(settings))
        engine = await resources.enter_async_context(search_engine(settings))
        documents = IndexedDocuments(lines, sealer, sealed_objects(settings))
        yield Search(documents, lines, engine, tenant_id, settings.bucatini_home)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return load({"DATABASE_URL": database_url, "BUCATINI_HOME": str(tmp_path)})


@pytest.fixture
async def search(settings: Settings) -> AsyncIterator[Search]:
    async with a_search(settings, make_tenant(settings.database)) as search:
        yield search


async def test_an_indexed_document_is_found_by_another_process_and_lies_sealed_in_postgresql(
    search: Search, settings: Settings, database_url: str
) -> None:
    indexed = await search.index(tags=("signed",), industry="legal")

    assert indexed == DocumentIndexed(document_id="lease-1", version=1)
    async with a_search(settings, search.tenant_id) as elsewhere:
        (hit,) = await elsewhere.hits("confidential leases")
    assert (hit.title, hit.tags, hit.industry, hit.version) == ("Lease", ("signed",), "legal", 1)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT d::text || v::text, text FROM documents d JOIN document_versions v USING (document_id)"
        ).fetchall()
    assert len(rows) == 1
    assert "confidential" not in rows[0][0]
    assert rows[0][1][:2] == b"\xfe\x01"


async def test_a_redelivered_job_changes_nothing(search: Search) -> None:
    run = search.run()
    first = await search.index(run)
    (hit,) = await search.hits()

    assert await search.index(run) == first
    assert await search.hits() == [hit]


async def test_a_later_job_replaces_the_content_and_keeps_the_documents_own_time(search: Search) -> None:
    await search.index(text="old words")
    (before,) = await search.hits("old")

    indexed = await search.index(text="new words")

    assert indexed.version == 2
    assert await search.found("old") == []
    assert [hit.created_at for hit in await search.hits("new")] == [before.created_at]


async def test_a_title_that_is_changed_while_its_document_is_indexed_is_found(
    search: Search, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = search.engine.index

    async def changed_meanwhile(tenant_id: UUID, document: IndexedDocument) -> None:
        if document.title == "Zebra":
            with psycopg.connect(settings.database) as connection:
                connection.execute("UPDATE documents SET title = 'Okapi' WHERE tenant_id = %s", (tenant_id,))
        await index(tenant_id, document)

    monkeypatch.setattr(search.engine, "index", changed_meanwhile)
    await search.index(title="Zebra")

    assert (await search.found("zebra"), await search.found("okapi")) == ([], ["lease-1"])


async def test_an_earlier_job_that_runs_late_is_superseded(search: Search) -> None:
    early, late = search.run(), search.run()
    await search.index(late, text="new words")

    indexed = await search.index(early, text="old words")

    assert indexed == DocumentIndexed(document_id="lease-1", version=1, superseded=True)
    assert await search.found("old") == []
    assert await search.found("new") == ["lease-1"]


async def test_jobs_for_one_document_in_any_order_at_once_leave_the_last_submitted(search: Search) -> None:
    runs = [search.run() for _ in range(12)]
    await search.index(runs[0], text="warm up the index")

    order = [7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 4, 6, 11, 3]
    await asyncio.gather(*(search.index(runs[number], text=f"number{number}") for number in order))

    assert [await search.found(f"number{number}") for number in range(12)] == [[]] * 11 + [["lease-1"]]
    assert len(await search.hits()) == 1


async def test_a_crash_between_storing_and_indexing_is_made_good_by_the_next_run(search: Search) -> None:
    await search.index(document_id="other")
    run = search.run()
    await search.documents.store(run.tenant_id, run.job_id, [sent(text="nearly lost")])
    assert await search.found("nearly") == []

    indexed = await search.index(run, text="nearly lost")

    assert indexed.version == 1
    assert await search.found("nearly") == ["lease-1"]


async def test_a_lost_index_is_told_and_comes_back_whole_with_the_next_document(search: Search) -> None:
    for number in range(5):
        await search.index(document_id=f"d{number}")
    shutil.rmtree(search.home / "search")
    with pytest.raises(IndexMissing):
        await search.hits()

    await search.index(document_id="d5")

    assert await search.found("confidential") == [f"d{number}" for number in range(6)]


async def test_a_tenant_without_documents_has_an_empty_index_and_no_complaint(search: Search) -> None:
    assert await search.hits() == []


async def test_many_first_documents_at_once_build_one_index_with_all_of_them(search: Search) -> None:
    await asyncio.gather(*(search.index(document_id=f"d{number}") for number in range(30)))

    assert len(await search.hits("lease")) == 30


async def test_a_rebuild_has_all_that_is_stored_but_what_cannot_be_opened(
    search: Search, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(7):
        await search.index(document_id=f"d{number}", text=f"{SECRET} {number}")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE document_versions SET text = set_byte(text, 90, 0) WHERE document_id = 'd3'")
    await search.index(document_id="d2", text="replaced")

    await search.rebuild()

    assert await search.found("confidential") == ["d0", "d1", "d4", "d5", "d6"]
    assert [hit.version for hit in await search.hits("replaced")] == [2]
    assert "could not open a document's text" in caplog.text
    assert "confidential" not in caplog.text


async def test_a_text_moved_to_another_document_opens_nowhere(search: Search, database_url: str) -> None:
    await search.index(document_id="mine", text="my words")
    await search.index(document_id="yours", text="your words")
    with psycopg.connect(database_url) as connection:
        connection.execute("""
            UPDATE document_versions SET text = (SELECT text FROM document_versions o WHERE o.document_id = 'yours')
            WHERE document_id = 'mine'""")

    await search.rebuild()

    assert await search.found() == ["yours"]


async def test_a_tenants_role_sees_its_own_documents_and_nobodys_keys(search: Search) -> None:
    await search.index()

    async def all_documents(connection: Connection) -> int:
        row = await (await connection.execute("SELECT count(*) FROM documents")).fetchone()
        return int(row[0]) if row else -1

    async def wrapped_keys(connection: Connection) -> None:
        await connection.execute("SELECT wrapped FROM tenant_keys")

    assert await search.lines.run(search.tenant_id, all_documents) == 1
    assert await search.lines.run(uuid4(), all_documents) == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await search.lines.run(search.tenant_id, wrapped_keys)


async def test_every_text_a_command_may_hold_is_stored_and_indexed(search: Search) -> None:
    body = "".join(map(chr, [*range(1, 32), 127, 0x202E, 0xFFFD, 0x1F600, 0x10FFFF])) + " words" * 33_000

    await search.index(text=body, title="\u202e\x01 '\"\\ %s")

    assert await search.found("words") == ["lease-1"]


def test_a_killed_worker_leaves_every_document_to_the_next_and_none_twice(system: System) -> None:
    quick = {"HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "5"}
    system.dispatcher(**quick)
    first = system.start("workers.runtime", "search", **quick)
    commands = [lease(document_id=f"d{number}", text=f"document number {number}") for number in range(150)]
    job_ids = system.submit(*commands)
    wait_until(lambda: system.states()["succeeded"] > 10, "some documents are indexed")

    first.kill()
    system.start("workers.runtime", "search", **quick)

    assert system.await_all_finished(len(job_ids)) == {"succeeded": 150}
    settings = system.settings

    async def found() -> tuple[int, list[int]]:
        async with search_engine(settings) as engine:
            everything = await engine.search(system.tenant_id, SearchQuery(limit=0))
            each = [
                (
                    await engine.search(system.tenant_id, SearchQuery(match=AllTerms(text=f"number {n}"), limit=0))
                ).results.total
                for n in (0, 77, 149)
            ]
            return everything.results.total, each

    assert asyncio.run(found()) == (150, [1, 1, 1])
