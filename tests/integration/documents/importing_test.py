"""What is uploaded is imported by real workers: every format, whatever is killed, and a bad file harms nothing else."""

from collections.abc import Callable
from typing import Any

import psutil
import pytest

from infrastructure.ports.extraction import DocumentFormat
from schemas.ai import ProcessDocument
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep
from tests.integration.documents.shelf import Shelf
from tests.integration.readiness import metrics
from tests.integration.serving import World
from tests.sample_documents.__main__ import AS_DOCX, AS_PDF, SAMPLES
from tests.system import System
from tests.unit.infrastructure.extraction.hostile import docx_bomb
from tests.unit.infrastructure.extraction.producers import (
    HTML,
    PARAGRAPH,
    docx,
    email,
    made_by_libreoffice,
    odt,
    pdf,
    pptx,
    scanned_pdf,
    xlsx,
)
from tests.waiting import wait_until

QUICK = {"HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "3", "SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "1"}
SENTENCE = PARAGRAPH.split(". ")[0]
DONE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
FORMATS: dict[str, tuple[Callable[[], bytes | str], DocumentFormat, str]] = {
    "agreement.docx": (docx, DocumentFormat.DOCX, SENTENCE),
    "review.pptx": (pptx, DocumentFormat.PPTX, SENTENCE),
    "prices.xlsx": (xlsx, DocumentFormat.XLSX, "Item"),
    "agreement.odt": (odt, DocumentFormat.ODT, SENTENCE),
    "agreement.html": (HTML.encode, DocumentFormat.HTML, SENTENCE),
    "mail.eml": (email().as_bytes, DocumentFormat.EML, SENTENCE),
    "werkvertrag.rtf": (lambda: made_by_libreoffice("werkvertrag.rtf"), DocumentFormat.RTF, "Wärmetechnik"),
    "notes.md": (f"# Notes\n\n{PARAGRAPH}".encode, DocumentFormat.MARKDOWN, SENTENCE),
    "latin.txt": (
        lambda: f"{PARAGRAPH} Straße in Köln, müßig.".encode("cp1252"),
        DocumentFormat.TEXT,
        "Straße in Köln",
    ),
    "sent-as-text": (lambda: PARAGRAPH, DocumentFormat.TEXT, SENTENCE),
}
LANGUAGES = {"mietvertrag-lagerhalle": "de", "proces-verbal-assemblee-generale": "fr"}


@pytest.fixture
def shelf(system: System) -> Shelf:
    return Shelf(system)


def worker(system: System) -> Any:
    return system.start("workers.runtime", "search", **QUICK)


def _version(shelf: Shelf, document_id: str) -> Any:
    document = shelf.document(document_id)
    assert document is not None
    return document.newest


def test_every_format_and_every_sample_ends_as_its_text_in_its_language(system: System, shelf: Shelf) -> None:
    worker(system)
    samples = {name: f"{name}.{'pdf' if name in AS_PDF else 'docx'}" for name in (*AS_PDF, *AS_DOCX)}
    jobs = {name: shelf.upload(name, made(), file_name=name) for name, (made, _, _) in FORMATS.items()}
    jobs |= {name: shelf.upload(name, (SAMPLES / file).read_bytes(), file_name=file) for name, file in samples.items()}

    for name, job_id in jobs.items():
        assert system.await_state(job_id, "succeeded", "failed") == "succeeded", (name, system.problem(job_id))

    for name, (_, document_format, piece) in FORMATS.items():
        version = _version(shelf, name)
        text = shelf.text(name) or ""
        assert piece in text, name
        assert (version.state, version.characters, version.problem) == ("ready", len(text), None)
        assert version.media_type == document_format.media_type
    for name in samples:
        assert _version(shelf, name).language == LANGUAGES.get(name, "en"), name
    assert system.timeline(jobs["notes.md"])[-2:] == ["documents.imported", "job.succeeded"]


@pytest.mark.parametrize("wrong", ["every kind of it"])
def test_a_bad_file_fails_with_its_own_problem_at_once_and_the_worker_goes_on(
    system: System, shelf: Shelf, wrong: str
) -> None:
    running = worker(system)
    bad = {
        "password-protected": made_by_libreoffice("locked.pdf"),
        "document-damaged": pdf(pages=20)[:3_000],
        "no-text-layer": scanned_pdf(),
        "expands-too-far": docx_bomb(),
        "unknown-format": bytes(range(256)) * 40,
    }
    jobs = {name: shelf.upload(name, content, file_name="file") for name, content in bad.items()}
    good = shelf.upload("good", docx(), file_name="good.docx")

    assert system.await_state(good, "succeeded", "failed") == "succeeded"
    for name, job_id in jobs.items():
        system.await_state(job_id, "failed")
        assert system.problem(job_id)["type"].endswith(f"/{name}")
        assert system.timeline(job_id).count("job.started") == 1, "repeating it would change nothing"
        version = _version(shelf, name)
        assert (version.state, version.problem.name) == ("failed", name)
        document = shelf.document(name)
        assert document is not None and document.current_version is None  # noqa: PT018  # one fact
    assert running.exit_code is None


def test_a_worker_killed_while_it_reads_leaves_the_document_to_another_which_imports_it_once(
    system: System, shelf: Shelf
) -> None:
    shelf.set_profile(index=True, process=True)
    system.dispatcher(**QUICK)
    killed = worker(system)
    job_id = shelf.upload("long", pdf(pages=4_000), file_name="long.pdf")
    system.await_state(job_id, "running")
    wait_until(
        lambda: system.read("SELECT progress IS NOT NULL FROM jobs WHERE id = %s", job_id)[0][0], "it is being read"
    )

    killed.kill()
    assert _version(shelf, "long").state == "importing"
    worker(system)

    assert system.await_state(job_id, "succeeded", "failed") == "succeeded"
    assert system.timeline(job_id).count("documents.imported") == 1
    assert _version(shelf, "long").pages == 4_000
    for kind in (IndexDocument.kind, ProcessDocument.kind):
        assert [row[1:] for row in shelf.followers(kind)] == [(job_id, {"id": "long", "version": 1})]


def test_an_import_that_ran_twice_is_followed_once_by_all_that_its_profile_says(system: System, shelf: Shelf) -> None:
    shelf.set_profile(index=True, process=True, workflow={"definition": DONE})
    system.dispatcher(**QUICK)
    frozen = worker(system)
    job_id = shelf.upload("long", pdf(pages=1_500), file_name="long.pdf")
    system.await_state(job_id, "running")
    system.freeze(frozen)
    worker(system)
    system.await_state(job_id, "succeeded")

    system.thaw(frozen)
    frozen.stop()  # It waits until its runs have ended: this one too late.

    assert [row[1] for row in shelf.followers(IndexDocument.kind)] == [job_id]
    assert [row[1] for row in shelf.followers(ProcessDocument.kind)] == [job_id]
    starts = system.read("SELECT command->'input' FROM jobs WHERE kind = %s", RunWorkflowStep.kind)
    assert starts == [({"document": {"id": "long", "version": 1}},)]
    wait_until(lambda: shelf.found("agreement") == [("long", 1)] or shelf.found() == [("long", 1)], "it is found")


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_versions_the_newer_is_current_whichever_is_imported_first(
    system: System, shelf: Shelf, first: int
) -> None:
    jobs = {1: shelf.upload("lease", "The old rent is due."), 2: shelf.upload("lease", "The new rent is due.")}
    later = 3 - first
    hold = "UPDATE jobs SET run_at = now() + interval '1 hour' WHERE id = %s RETURNING 1"
    system.read(hold, jobs[later])
    worker(system)
    system.dispatcher(**QUICK)
    system.await_state(jobs[first], "succeeded")
    system.read("UPDATE jobs SET run_at = now(), wake_at = now() WHERE id = %s RETURNING 1", jobs[later])

    system.await_state(jobs[later], "succeeded")
    wait_until(lambda: shelf.found("rent") == [("lease", 2)], "the new version is found")

    document = shelf.document("lease")
    assert document is not None
    assert (document.version, document.current_version) == (2, 2)
    assert (shelf.text("lease"), shelf.text("lease", 1)) == ("The new rent is due.", "The old rent is due.")
    results = dict(system.read("SELECT id, result->'current' FROM jobs WHERE kind = 'documents.import'"))
    assert results == {jobs[2]: True, jobs[1]: first == 1}


def test_an_import_that_comes_after_the_deletion_changes_nothing(system: System, shelf: Shelf) -> None:
    imported = shelf.upload("lease", docx(), file_name="lease.docx")
    removed = shelf.delete("lease")

    worker(system)

    assert system.await_state(imported, "succeeded", "failed") == "failed"
    assert system.problem(imported)["type"].endswith("/document-gone")
    system.await_state(removed, "succeeded")
    assert shelf.followers(IndexDocument.kind) == []
    assert (shelf.text("lease"), shelf.text("lease", 1), shelf.found()) == (None, None, [])


def test_other_jobs_of_the_pool_run_while_documents_are_read(system: System, shelf: Shelf) -> None:
    worker(system)
    long = [shelf.upload(f"long-{number}", pdf(pages=1_500), file_name="long.pdf") for number in range(4)]
    system.await_state(long[0], "running", "succeeded")

    (quick,) = system.submit(IndexDocument(document_id="q", title="Quick", text="quick", document_type="note"))

    system.await_state(quick, "succeeded")
    assert "running" in {system.state(job_id) for job_id in long} | {"queued"} - {"succeeded"}
    for job_id in long:
        system.await_state(job_id, "succeeded")


def test_a_suspended_tenants_import_never_starts(system: System, served: World) -> None:
    operator, suspended = served.operator(), Shelf(system, system.tenant())
    job_id = suspended.upload("lease", docx(), file_name="lease.docx")
    with served.http(operator) as http:
        answer = http.patch(f"/api/tenants/{suspended.tenant_id}", json={"state": "suspended"})
    assert answer.status_code == 200, answer.text
    worker(system)
    other = Shelf(system).upload("lease", docx(), file_name="lease.docx")

    system.await_state(other, "succeeded")
    held = "SELECT parked LIKE 'hold:%%' FROM jobs WHERE id = %s"
    system.dispatcher(**QUICK)
    wait_until(lambda: system.read(held, job_id)[0][0], "the worker came to the job and held it")
    assert "job.started" not in system.timeline(job_id)


def test_small_texts_in_bulk_need_no_process_that_reads(system: System, shelf: Shelf) -> None:
    running = worker(system)
    jobs = [shelf.upload(f"note-{number}", f"{PARAGRAPH} Number {number}.") for number in range(20)]

    for job_id in jobs:
        system.await_state(job_id, "succeeded")

    assert [
        child for child in psutil.Process(running.pid).children() if "extraction" in " ".join(child.cmdline())
    ] == []
    assert 'bucatini_extraction_seconds_count{format="text",outcome="extracted"} 20.0' in metrics(running)
    assert {_version(shelf, f"note-{number}").language for number in range(20)} == {"en"}
