"""Lists have the newest document first, each once, whatever is added meanwhile, and no other tenant's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infrastructure.postgres.documents import changes, listing, queries
from infrastructure.postgres.documents.changes import Changed
from infrastructure.postgres.documents.listing import DocumentFilters, Page, Position
from infrastructure.postgres.jobs.queries import NEWEST
from schemas.documents import DocumentChange, VersionState
from tests.integration.documents.library import Library, a_library
from tests.tenancy import make_tenant

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def page(library: Library, after: Position | None = None, limit: int = 50, **filters: Any) -> Page:
    return await library.sessions.run(
        library.tenant_id,
        lambda session: listing.page(session, library.tenant_id, DocumentFilters(**filters), after=after, limit=limit),
    )


async def ids(library: Library, **filters: Any) -> list[str]:
    return [one.id for one in (await page(library, **filters)).documents]


async def dated(library: Library, count: int, **fields: Any) -> None:
    """Documents d0, d1 and so on, of one day after the other; two of each day."""
    for number in range(count):
        await library.add(f"d{number}", f"words {number}", **fields)
        at = START + DAY * (number // 2)
        library.execute("UPDATE documents SET created_at = %s WHERE document_id = %s", at, f"d{number}")


async def test_pages_follow_each_other_without_gaps_or_repetitions(library: Library) -> None:
    await dated(library, 9)

    found, after = [], None
    while True:
        one = await page(library, after, limit=2)
        found += [document.id for document in one.documents]
        await library.add(f"new-{len(found)}")
        if (after := one.next) is None:
            break

    assert found == [f"d{number}" for number in (8, 7, 6, 5, 4, 3, 2, 1, 0)]


async def test_filters_are_combined(library: Library) -> None:
    await library.add("a", "1", document_type="lease", industry="law", tags=("x", "y"))
    await library.add("b", "2", document_type="lease", tags=("x",), language="de")
    await library.add("c", "3", document_type="letter", tags=("y",))
    await library.import_text("c", 1, "3")
    await library.add("gone", "4", document_type="lease")
    await library.delete("gone")

    assert await ids(library) == ["c", "b", "a"]
    assert await ids(library, document_type="lease") == ["b", "a"]
    assert await ids(library, document_type="lease", deleted=True) == ["gone", "b", "a"]
    assert await ids(library, industry="law") == ["a"]
    assert await ids(library, tags=("x", "y")) == ["a"]
    assert await ids(library, language="de") == ["b"]
    assert await ids(library, language="en") == ["c"], "it was detected"
    assert await ids(library, state=VersionState.READY) == ["c"]
    assert await ids(library, state=VersionState.IMPORTING, tags=("x",)) == ["b", "a"]


async def test_times_leave_a_part_of_the_list(library: Library) -> None:
    await dated(library, 8)

    assert await ids(library, created_from=START + DAY, created_before=START + 3 * DAY) == ["d5", "d4", "d3", "d2"]
    assert await ids(library, updated_before=START) == []
    assert len(await ids(library, updated_from=START)) == 8


async def test_a_page_looks_at_so_many_documents_and_no_more(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    await dated(library, 10)
    await library.add("rare", "rare", tags=("rare",))
    library.execute("UPDATE documents SET created_at = %s WHERE document_id = 'rare'", START - DAY)
    monkeypatch.setattr(listing, "MAX_EXAMINED", 4)

    first = await page(library, tags=("rare",))
    second = await page(library, first.next, tags=("rare",))
    third = await page(library, second.next, tags=("rare",))

    assert [one.id for one in first.documents + second.documents] == []
    assert (first.next, second.next) == (Position(START + 3 * DAY, "d6"), Position(START + DAY, "d2"))
    assert [one.id for one in third.documents] == ["rare"]
    assert third.next is None


async def test_another_tenants_cursor_shows_nothing_of_it(library: Library) -> None:
    await dated(library, 4)
    first = await page(library, limit=2)

    async with a_library(library.settings, make_tenant(library.settings.database)) as other:
        assert await page(other, first.next) == Page((), None)
        mine = await other.add("d0", "words 0")
        assert mine.document.version == 1, "the same id and the same digest are another document there"
        assert await ids(other, deleted=True) == ["d0"]
    assert len(await ids(library)) == 4


async def test_a_list_is_read_by_index(library: Library) -> None:
    library.execute(
        "INSERT INTO documents (tenant_id, document_id, version, document_type, created_at) "
        "SELECT %s, 'd' || n, 1, 'lease', now() - make_interval(mins => n) FROM generate_series(1, 5000) n",
        library.tenant_id,
    )
    library.execute("ANALYZE documents")

    plan = library.execute(
        "EXPLAIN SELECT created_at, document_id FROM documents "
        f"WHERE tenant_id = '{library.tenant_id}' AND (created_at, document_id) < (now() - interval '1 h', 'x') "
        "ORDER BY created_at DESC, document_id DESC LIMIT 50"
    )

    assert any("documents_newest" in line for (line,) in plan), plan
    assert not any("Sort" in line for (line,) in plan), plan


async def change(library: Library, document_id: str, **given: Any) -> Any:
    return await library.sessions.run(
        library.tenant_id,
        lambda session: changes.change(
            session, library.tenant_id, document_id, DocumentChange(**given), ring_again_seconds=10.0
        ),
    )


async def test_a_change_changes_what_is_given(library: Library) -> None:
    before = (await library.add("lease", title="Lease", tags=("x",), language="de")).document

    outcome = await change(library, "lease", tags=("y",), language=None)

    assert isinstance(outcome, Changed)
    assert outcome.stored is None, "it isn't in an index"
    changed = outcome.document
    assert (changed.title, changed.tags, changed.language, changed.version) == ("Lease", ("y",), None, 1)
    assert changed.updated_at > before.updated_at
    assert await change(library, "nothing", title="x") == changes.NotThere()


async def test_a_documents_jobs_are_found_by_index(library: Library) -> None:
    for text in ("one", "two"):
        await library.add("lease", text)
    await library.add("other")
    deleted = await library.delete("lease")

    jobs = await library.sessions.run(
        library.tenant_id,
        lambda session: queries.jobs_of(session, library.tenant_id, "lease", before=NEWEST, limit=10),
    )

    assert [one.kind for one in jobs] == ["documents.remove", "documents.import", "documents.import"]
    assert jobs[0].id == deleted.stored.ref.job_id
