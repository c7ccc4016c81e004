"""What an import reads becomes the document's text, in whatever order imports end, and once."""

import asyncio

import pytest

from infrastructure.ports.extraction import Heading
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from schemas.documents import DocumentRef, VersionState
from schemas.problems import Problem
from tests.integration.documents.library import Library, a_library
from tests.tenancy import make_tenant

pytestmark = pytest.mark.anyio

LONG = "words of a long text. " * 20_000
LEASE = DocumentRef(id="lease")


async def test_an_imported_document_is_described_by_what_was_found_in_it(library: Library) -> None:
    await library.upload("lease", b"%PDF", "rent.pdf")
    waiting = await library.document("lease")
    assert waiting is not None
    assert (waiting.title, waiting.current_version) == ("rent.pdf", None)

    details = await library.import_text("lease", 1, "The rent is due.", title="A  lease\n", page_offsets=(0, 8))

    assert details is not None
    assert (details.is_current, details.is_deleted, details.state) == (True, False, VersionState.READY)
    assert (details.title, details.language, details.media_type) == ("A lease", "en", "application/pdf")
    document = await library.document("lease")
    assert document is not None
    assert (document.title, document.language, document.current_version) == ("A lease", "en", 1)
    assert (document.newest.characters, document.newest.pages, document.newest.words) == (16, 2, 4)
    assert await library.text("lease") == "The rent is due."
    assert await library.original("lease") == b"%PDF"


async def test_what_the_author_says_stands_before_what_was_found(library: Library) -> None:
    await library.upload("lease", b"%PDF", title="Rent", language="fr")

    details = await library.import_text("lease", 1, "The rent is due.", title="A lease")

    assert details is not None
    assert (details.title, details.language) == ("Rent", "fr")


async def test_a_long_text_is_an_object_that_only_its_document_opens(library: Library) -> None:
    await library.upload("lease", b"%PDF")

    await library.import_text("lease", 1, LONG)

    assert await library.text("lease") == LONG
    assert len(library.stored_objects()) == 2
    ((in_row, counted),) = library.execute("SELECT text, stored_bytes FROM document_versions")
    assert in_row is None
    assert counted > len(LONG)
    assert await library.used() == (1, counted)
    library.execute("UPDATE document_versions SET text_cell = cell")
    with pytest.raises(Exception, match="can't be opened"):
        await library.text("lease")


async def test_of_two_imports_of_one_version_one_stores_and_none_leaves_anything_behind(library: Library) -> None:
    await library.upload("lease", b"%PDF")

    both = await asyncio.gather(
        library.import_text("lease", 1, LONG), library.import_text("lease", 1, LONG + "and more")
    )

    assert [details is not None and details.is_current for details in both] == [True, True]
    assert await library.text("lease") in (LONG, LONG + "and more")
    assert len(library.stored_objects()) == 2, "the original, and one text"
    assert (await library.used())[1] == library.execute("SELECT sum(stored_bytes) FROM document_versions")[0][0]


async def test_an_older_version_that_is_imported_late_doesnt_become_current(library: Library) -> None:
    await library.upload("lease", b"one")
    await library.upload("lease", b"two")
    await library.import_text("lease", 2, "the second")

    late = await library.import_text("lease", 1, "the first")

    assert late is not None
    assert (late.is_current, late.state) == (False, VersionState.READY)
    assert await library.text("lease") == "the second"
    assert await library.text("lease", 1) == "the first"


async def test_a_version_that_cant_be_read_leaves_the_one_before_current(library: Library) -> None:
    await library.upload("lease", b"one")
    await library.import_text("lease", 1, "the first")
    await library.upload("lease", b"two")

    refused = Problem.of("document-damaged", "The document is damaged", 422, "cut off")
    await library.store.failed(library.tenant_id, DocumentRef(id="lease", version=2), refused)

    document = await library.document("lease")
    assert document is not None
    assert (document.newest.state, document.newest.problem) == (VersionState.FAILED, refused)
    assert document.current_version == 1
    assert await library.text("lease", 2) is None
    await library.import_text("lease", 2, "the second, replayed")
    assert await library.text("lease") == "the second, replayed"


async def test_a_text_that_was_sent_stays_as_it_came(library: Library) -> None:
    await library.add("note", "one\r\ntwo")

    await library.import_text("note", 1, "one\ntwo", headings=(Heading("two", 1, 4),))

    assert await library.text("note") == "one\r\ntwo"
    assert await library.original("note") == b"one\r\ntwo"
    assert library.execute("SELECT outline FROM document_versions") == [(None,)], "its places would be others"


async def test_a_text_beyond_the_quota_leaves_nothing_behind(library: Library) -> None:
    await library.upload("lease", b"%PDF")
    used = await library.used()
    library.limit(stored_bytes=used[1] + 1_000)

    with pytest.raises(QuotaExceeded):
        await library.import_text("lease", 1, LONG)

    assert await library.used() == used
    assert len(library.stored_objects()) == 1
    assert await library.text("lease", 1) is None


async def test_another_tenant_reads_nothing(library: Library) -> None:
    await library.upload("lease", b"%PDF")
    await library.import_text("lease", 1, LONG)

    async with a_library(library.settings, make_tenant(library.settings.database)) as other:
        assert await other.document("lease") is None
        assert await other.text("lease") is None
        assert await other.original("lease", 1) is None
        assert await other.store.details(other.tenant_id, LEASE) is None
        assert await other.import_text("lease", 1, "stolen") is None
        assert await other.store.remove(other.tenant_id, LEASE)

    assert await library.text("lease") == LONG
