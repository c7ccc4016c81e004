"""A job with many documents that is tried again redoes none that is finished."""

from uuid import UUID

import pytest

from bucatini.testing import RecordedRun
from events.search import DocumentsIndexed
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.search import IndexedDocument
from schemas.search import IndexDocuments, SearchQuery
from tests.integration.search.catalogue import lease
from tests.integration.search.search_test import Search, search, settings
from workers.search.indexing import index_documents

__all__ = ["search", "settings"]
pytestmark = pytest.mark.anyio
MANY = IndexDocuments.model_validate({"documents": [lease(number) for number in range(120)]})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_only_what_the_index_lacks_is_written_again(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    await search.index(document_id="lease-0", title="Lease", text="Replaced by the job.")
    written: list[str] = []
    index = search.engine.index
    away = {"lease-7"}

    async def index_unless_away(tenant_id: UUID, document: IndexedDocument) -> None:
        written.append(document.document_id)
        if document.document_id in away:
            raise Unavailable("the index can't be written now")
        await index(tenant_id, document)

    monkeypatch.setattr(search.engine, "index", index_unless_away)
    run = search.run()
    with pytest.raises(Unavailable):
        await index_documents(MANY, run, search.indexing)
    assert (await search.engine.search(search.tenant_id, SearchQuery(limit=0))).results.total == 119

    written.clear()
    away.clear()
    again = RecordedRun(run.tenant_id, run.job_id, attempt=2)
    indexed = await index_documents(MANY, again, search.indexing)

    assert isinstance(indexed, DocumentsIndexed)
    assert (indexed.indexed, indexed.superseded, written) == (120, 0, ["lease-7"])


async def test_what_the_engine_can_never_take_is_named_and_spoils_no_other(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = search.engine.index

    async def index_unless_odd(tenant_id: UUID, document: IndexedDocument) -> None:
        if document.document_id == "lease-3":
            raise Refused("its words are too long")
        await index(tenant_id, document)

    monkeypatch.setattr(search.engine, "index", index_unless_odd)
    indexed = await index_documents(MANY, search.run(), search.indexing)

    assert isinstance(indexed, DocumentsIndexed)
    assert (indexed.indexed, indexed.failed) == (119, 1)
    assert indexed.failures[0].document_id == "lease-3"
    assert "too long" in indexed.failures[0].problem.detail
