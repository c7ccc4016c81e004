"""A version is accepted with its job or not at all; who sends a document twice has it once."""

import asyncio
from dataclasses import replace

import pytest

from infrastructure.postgres.documents.acceptance import (
    Accepted,
    PreconditionFailed,
    Repeated,
    Unchanged,
)
from infrastructure.postgres.documents.etags import Precondition, etag
from infrastructure.postgres.jobs.submission import KeyReused
from schemas.documents import VersionState
from schemas.jobs import JobState
from tests.integration.documents.library import Library

pytestmark = pytest.mark.anyio


async def test_a_new_document_is_stored_sealed_and_with_the_job_that_imports_it(library: Library) -> None:
    accepted = await library.add("lease", "The rent is secret.", title="Lease", tags=("b", "a"), metadata={"by": ["x"]})

    document, job = accepted.document, accepted.job
    assert (document.id, document.version, document.current_version) == ("lease", 1, None)
    assert (document.title, document.tags, document.metadata) == ("Lease", ("b", "a"), {"by": ["x"]})
    assert (document.newest.state, document.newest.job_id) == (VersionState.IMPORTING, job.id)
    assert (job.kind, job.state, job.queue) == ("documents.import", JobState.QUEUED, "search")
    assert library.execute("SELECT command FROM jobs") == [
        ({"document": {"id": "lease", "version": 1}, "profile": "default"},)
    ]
    assert library.execute("SELECT type FROM job_events") == [("job.queued",)]
    ((row, sealed),) = library.execute("SELECT v::text, text FROM document_versions v")
    assert "secret" not in row
    assert b"secret" not in bytes(sealed)
    assert await library.used() == (1, library.execute("SELECT octet_length(text) FROM document_versions")[0][0])


async def test_the_same_content_again_is_the_same_version(library: Library) -> None:
    first = await library.add("lease", "words", title="Lease")

    again = await library.accept(await library.sealed("lease", "words", title="Lease"))

    assert again == Unchanged(first.document)
    assert library.execute("SELECT count(*) FROM jobs") == [(1,)]
    assert (await library.used())[0] == 1


async def test_the_same_content_of_a_version_that_failed_is_tried_again(library: Library) -> None:
    await library.add("lease", "words")
    library.execute("UPDATE document_versions SET state = 'failed'")

    assert (await library.add("lease", "words")).document.version == 2


async def test_a_version_after_the_first_is_said_once_by_the_job_that_imports_it(library: Library) -> None:
    first = await library.add("lease", "words")
    second = await library.add("lease", "other words")
    await library.accept(await library.sealed("lease", "other words"))

    said = "SELECT job_id, seq, data FROM job_events WHERE type = 'documents.version_added'"
    assert library.execute(said) == [(second.job.id, 2, {"document_id": "lease", "version": 2})]
    assert library.execute("SELECT id, seq FROM jobs ORDER BY id") == [(first.job.id, 1), (second.job.id, 2)]


async def test_other_words_or_another_description_are_a_new_version(library: Library) -> None:
    await library.add("lease", "words", title="Lease")
    await library.add("lease", "words", title="Contract")
    third = await library.add("lease", "other words", title="Contract")

    assert (third.document.version, third.document.title) == (3, "Contract")
    assert library.execute("SELECT version FROM document_versions ORDER BY version") == [(1,), (2,), (3,)]


async def test_an_idempotency_key_makes_one_document_of_two_requests(library: Library) -> None:
    upload = replace(await library.sealed(None, "words"), idempotency_key="k")
    first = await library.accept(upload)
    again = await library.accept(replace(await library.sealed(None, "words"), idempotency_key="k"))
    other = await library.accept(replace(await library.sealed(None, "other"), idempotency_key="k"))

    assert isinstance(first, Accepted)
    assert again == Repeated(first.document, first.job)
    assert other == KeyReused(first.job.id)
    assert library.execute("SELECT count(*) FROM documents") == [(1,)]


async def test_a_refused_request_leaves_its_idempotency_key_free(library: Library) -> None:
    upload = replace(await library.sealed("lease", "words"), idempotency_key="k")

    refused = await library.accept(upload, Precondition(if_match=('"1-0.0"',)))

    assert refused == PreconditionFailed(None)
    assert library.execute("SELECT count(*) FROM documents") == [(0,)]
    assert isinstance(await library.accept(upload), Accepted)


async def test_an_entity_tag_stays_good_for_changes_while_the_import_goes_on(library: Library) -> None:
    document = (await library.add("lease", "words")).document
    library.execute("UPDATE document_versions SET state = 'ready'")
    library.execute("UPDATE documents SET current_version = 1")
    imported = await library.document("lease")
    assert imported is not None
    assert etag(imported) != etag(document), "a reader's copy is out of date"

    only_if = Precondition(if_match=('"other"', etag(document)))
    second = await library.accept(await library.sealed("lease", "new words"), only_if)
    third = await library.accept(await library.sealed("lease", "newer words"), only_if)

    assert isinstance(second, Accepted)
    assert third == PreconditionFailed(second.document)


async def test_a_document_that_must_be_new_isnt_replaced(library: Library) -> None:
    must_be_new = Precondition(if_none_match_any=True)
    first = await library.accept(await library.sealed("lease"), must_be_new)
    second = await library.accept(await library.sealed("lease", "other"), must_be_new)

    assert isinstance(first, Accepted)
    assert second == PreconditionFailed(first.document)


async def test_writers_of_one_document_get_one_order(library: Library) -> None:
    uploads = [await library.sealed("lease", f"words of {number}") for number in range(20)]

    accepted = await asyncio.gather(*[library.accept(one) for one in uploads])

    versions = sorted(one.document.version for one in accepted if isinstance(one, Accepted))
    assert versions == list(range(1, 21))
    assert (await library.used())[0] == 1


async def test_of_writers_that_saw_the_same_document_one_wins(library: Library) -> None:
    seen = etag((await library.add("lease", "words")).document)
    uploads = [await library.sealed("lease", f"words of {number}") for number in range(8)]

    outcomes = await asyncio.gather(*[library.accept(one, Precondition(if_match=(seen,))) for one in uploads])

    assert sorted(type(one).__name__ for one in outcomes) == ["Accepted"] + ["PreconditionFailed"] * 7
