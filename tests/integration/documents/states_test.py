"""A version is importing while a job imports it, and never longer, whatever became of that job."""

import json
from functools import partial
from uuid import UUID

import pytest

from infrastructure.postgres.documents import listing, pinning, queries
from infrastructure.postgres.documents.acceptance import Accepted
from infrastructure.postgres.documents.listing import DocumentFilters
from infrastructure.postgres.documents.pinning import NotPinned, Unpinned
from infrastructure.postgres.jobs import cancellation
from schemas.documents import DocumentRef, DocumentVersion, VersionState
from schemas.problems import Problem
from tests.integration.documents.library import Library

pytestmark = pytest.mark.anyio

WORN_OUT = Problem.of("attempts-spent", "All attempts are spent", 500, "The last one lost its worker.")


async def _newest(library: Library, document_id: str = "lease") -> DocumentVersion:
    document = await library.document(document_id)
    assert document is not None
    return document.newest


async def _cancel(library: Library, job_id: UUID) -> None:
    await library.pool.run(library.tenant_id, partial(cancellation.cancel, tenant_id=library.tenant_id, job_id=job_id))


def _end(library: Library, job_id: UUID, state: str) -> None:
    problem = json.dumps(WORN_OUT.model_dump(mode="json"))
    library.execute(
        "UPDATE jobs SET state = %s, problem = %s::jsonb, wake_at = NULL WHERE id = %s", state, problem, job_id
    )


async def test_a_version_whose_import_was_cancelled_failed_and_says_so(library: Library) -> None:
    accepted = await library.upload("lease", b"%PDF")
    assert (await _newest(library)).state is VersionState.IMPORTING

    await _cancel(library, accepted.job.id)

    newest = await _newest(library)
    assert newest.state is VersionState.FAILED
    assert newest.problem is not None
    assert newest.problem.name == "import-ended"
    (pinned,) = await library.pool.run(
        library.tenant_id, partial(pinning.pin, tenant_id=library.tenant_id, refs=[DocumentRef(id="lease")])
    )
    assert isinstance(pinned, NotPinned)
    assert pinned.reason is Unpinned.FAILED
    details = await library.store.details(library.tenant_id, DocumentRef(id="lease", version=1))
    assert details is not None
    assert details.state is VersionState.FAILED


@pytest.mark.parametrize("ended", ["dead", "failed"])
async def test_a_version_whose_import_died_has_its_jobs_problem_until_it_is_replayed(
    library: Library, ended: str
) -> None:
    accepted = await library.upload("lease", b"%PDF")
    await library.upload("other", b"%PDF")

    _end(library, accepted.job.id, ended)

    async def listed(state: VersionState) -> list[str]:
        found = await library.sessions.run(
            library.tenant_id,
            lambda session: listing.page(
                session, library.tenant_id, DocumentFilters(state=state), after=None, limit=10
            ),
        )
        return [document.id for document in found.documents]

    version = await library.sessions.run(
        library.tenant_id, lambda session: queries.version(session, library.tenant_id, "lease", 1)
    )
    assert version == await _newest(library)
    assert (version.state, version.problem) == (VersionState.FAILED, WORN_OUT)
    assert (await listed(VersionState.FAILED), await listed(VersionState.IMPORTING)) == (["lease"], ["other"])

    library.execute("UPDATE jobs SET state = 'queued' WHERE id = %s", accepted.job.id)
    assert ((await _newest(library)).state, (await _newest(library)).problem) == (VersionState.IMPORTING, None)
    await library.import_text("lease", 1, "The rent is due.")
    assert (await _newest(library)).state is VersionState.READY


async def test_a_version_whose_job_is_gone_isnt_importing(library: Library) -> None:
    accepted = await library.upload("lease", b"%PDF")

    library.execute("DELETE FROM jobs WHERE id = %s", accepted.job.id)

    assert (await _newest(library)).state is VersionState.FAILED


async def test_the_same_content_again_is_imported_when_its_last_import_was_cancelled(library: Library) -> None:
    first = await library.add("lease")
    await _cancel(library, first.job.id)

    again = await library.accept(await library.sealed("lease"))

    assert isinstance(again, Accepted)
    assert again.document.version == 2
    assert again.document.newest.state is VersionState.IMPORTING
