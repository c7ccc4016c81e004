"""What was deleted isn't found, read or kept, whatever job comes late."""

import pytest

from schemas.ai import ProcessDocument
from schemas.documents import DocumentRef
from schemas.search import IndexDocument
from tests.folders import files_under
from tests.integration.documents.shelf import Shelf
from tests.system import System
from tests.unit.infrastructure.extraction.producers import docx
from tests.waiting import wait_until

QUICK = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "1"}


@pytest.fixture
def shelf(system: System) -> Shelf:
    return Shelf(system)


def test_contents_facts_and_the_index_entry_of_a_deleted_document_are_gone(system: System, shelf: Shelf) -> None:
    system.start("workers.runtime", "search")
    system.start("workers.runtime", "ai")
    system.await_state(shelf.upload("lease", docx(), file_name="lease.docx"), "succeeded")
    (processed,) = system.submit(ProcessDocument(document=DocumentRef(id="lease", version=1)))
    system.await_state(processed, "succeeded")
    wait_until(lambda: shelf.found("agreement") == [("lease", 1)], "it is found")
    assert shelf.facts("lease") != []

    removed = shelf.delete("lease")

    system.await_state(removed, "succeeded")
    assert system.timeline(removed)[-2:] == ["documents.deleted", "job.succeeded"]
    assert (shelf.text("lease"), shelf.text("lease", 1), shelf.facts("lease"), shelf.found()) == (None, None, [], [])
    objects = system.settings.bucatini_home / "objects"
    assert [path for path in files_under(objects) if str(shelf.tenant_id) in str(path)] == []


def test_a_late_job_of_a_deleted_version_fails_clearly_and_brings_nothing_back(system: System, shelf: Shelf) -> None:
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due."), "succeeded")
    wait_until(lambda: shelf.found() == [("lease", 1)], "it is found")
    system.await_state(shelf.delete("lease"), "succeeded")
    assert shelf.found() == []

    late = DocumentRef(id="lease", version=1)
    (indexed,) = system.submit(IndexDocument(document=late))

    system.await_state(indexed, "failed")
    assert system.problem(indexed)["type"].endswith("/document-gone")
    assert shelf.found() == []

    system.await_state(shelf.upload("lease", "The new rent is due."), "succeeded")
    wait_until(lambda: shelf.found("rent") == [("lease", 2)], "a new version revives the id")


def test_a_document_deleted_in_a_tenant_without_an_index_stays_away(system: System, shelf: Shelf) -> None:
    shelf.set_profile(index=False)
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due."), "succeeded")

    system.await_state(shelf.delete("lease"), "succeeded")

    assert shelf.found() == []
