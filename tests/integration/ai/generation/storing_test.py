"""What was written is stored as a document, once for each job, like any other."""

import asyncio

from bucatini.testing import RecordedRun
from schemas.ai import GenerateDocument
from schemas.documents import DocumentRef
from tests.integration.ai.generation.writers import Writers
from tests.integration.documents.shelf import Shelf
from workers.ai.generation.document import generate_document
from workers.ai.resources import resources

NOTICE = {
    "title": "Notice of rent",
    "sections": [{"heading": "Rent", "text": "The rent is {{ rent | money: 'EUR' }}."}],
    "facts": {"rent": "1250.00"},
}
TEXT = "# Notice of rent\n\n## Rent\n\nThe rent is €1,250.00.\n"


def notice(**store: object) -> GenerateDocument:
    return GenerateDocument.model_validate({**NOTICE, "store": store})


def test_a_written_document_is_there_and_found_like_any_other(writers: Writers) -> None:
    shelf = Shelf(writers.system)
    writers.start("offline")
    (job_id,) = writers.system.submit(notice(id="notices/1", document_type="notice", tags=["rent"]))

    assert writers.result(job_id)["stored"] == {"id": "notices/1", "version": 1}
    assert shelf.text("notices/1") == TEXT  # At once, before its import job ran.
    document = shelf.document("notices/1")
    assert document is not None
    assert (document.title, document.document_type, document.tags) == ("Notice of rent", "notice", ("rent",))
    assert (document.newest.media_type, document.language) == ("text/markdown", "en")

    writers.system.dispatcher(**writers.environment())
    writers.system.start("workers.runtime", "search", **writers.environment())
    writers.system.await_all_finished(3)
    assert shelf.found("1,250.00") == [("notices/1", 1)]


def test_without_an_id_it_becomes_a_document_of_its_own(writers: Writers) -> None:
    writers.start("offline")
    first, second = writers.system.submit(notice(), notice())

    assert writers.result(first)["stored"] == {"id": str(first), "version": 1}
    assert writers.result(second)["stored"] == {"id": str(second), "version": 1}


def test_a_job_that_runs_again_stores_nothing_new_though_others_did(writers: Writers) -> None:
    shelf, run = Shelf(writers.system), RecordedRun(tenant_id=writers.system.tenant_id)

    async def generate() -> DocumentRef | None:
        async with resources(writers.system.settings) as shared:
            return (await generate_document(notice(id="notices/1"), run, shared)).stored

    stored = asyncio.run(generate())
    shelf.upload("notices/1", "Somebody's own version.")

    assert asyncio.run(generate()) == stored
    assert stored == DocumentRef(id="notices/1", version=1)
    document = shelf.document("notices/1")
    assert document is not None
    assert document.version == 2


def test_a_document_of_that_id_gets_a_new_version(writers: Writers) -> None:
    shelf = Shelf(writers.system)
    shelf.upload("notices/1", "An older text.")
    writers.start("offline")
    (job_id,) = writers.system.submit(notice(id="notices/1"))

    assert writers.result(job_id)["stored"] == {"id": "notices/1", "version": 2}
    assert shelf.text("notices/1", 2) == TEXT


def test_the_tenants_quota_holds(writers: Writers) -> None:
    writers.system.limit(writers.system.tenant_id, documents=1)
    writers.start("offline")
    jobs = writers.system.submit(*(notice() for _ in range(5)))
    states = [writers.system.await_state(job_id, "succeeded", "failed", "retrying") for job_id in jobs]

    assert states.count("succeeded") == 1
    (count,) = writers.system.read("SELECT count(*) FROM documents WHERE tenant_id = %s", writers.system.tenant_id)
    assert count == (1,)
