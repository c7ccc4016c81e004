"""What jobs find in a version is kept with it, once for each job, as long as the version is there."""

import json
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from infrastructure.key_vault.cells import facts_cell
from infrastructure.postgres.documents import facts, queries
from infrastructure.postgres.jobs.queries import NEWEST
from schemas.documents import DocumentRef
from tests.integration.documents.library import Library

pytestmark = pytest.mark.anyio

LEASE = DocumentRef(id="lease")


Found = tuple[int, UUID, str, dict[str, Any]]


async def found_in(library: Library, number: int | None = None) -> list[Found]:
    """Version, job, kind and facts."""
    sealed = await library.sessions.run(
        library.tenant_id,
        lambda session: queries.facts(session, library.tenant_id, "lease", number=number, before=NEWEST, limit=200),
    )
    return [
        (
            one.version,
            one.job_id,
            one.kind,
            json.loads(await library.keyring.open(facts_cell(library.tenant_id, one.cell), one.facts)),
        )
        for one in sealed
    ]


async def test_a_jobs_findings_are_kept_once_and_sealed(library: Library) -> None:
    await library.add("lease", "words")
    await library.import_text("lease", 1, "words")
    job_id, kind = uuid7(), "ai.process_document"

    for _ in range(2):
        await library.store.add_facts(library.tenant_id, LEASE, job_id=job_id, kind=kind, facts={"who": "Ada"})

    assert await found_in(library) == [(1, job_id, kind, {"who": "Ada"})]
    ((row, counted),) = library.execute("SELECT encode(facts, 'escape'), octet_length(facts) FROM document_facts")
    assert "Ada" not in row
    assert (await library.used())[1] == counted + library.execute("SELECT stored_bytes FROM document_versions")[0][0]


async def test_findings_belong_to_their_version(library: Library) -> None:
    for version, text in enumerate(("one", "two"), 1):
        await library.add("lease", text)
        await library.import_text("lease", version, text)
        await library.store.add_facts(library.tenant_id, LEASE, job_id=uuid7(), kind="k", facts={"of": text})

    assert [one["of"] for *_, one in await found_in(library)] == ["two", "one"]
    assert [one["of"] for *_, one in await found_in(library, 1)] == ["one"]


async def test_only_the_newest_findings_are_kept(library: Library) -> None:
    await library.add("lease", "words")
    await library.import_text("lease", 1, "words")
    before = await library.used()
    for number in range(facts.MAX_FINDINGS + 3):
        await library.store.add_facts(library.tenant_id, LEASE, job_id=uuid7(), kind="k", facts={"number": number})

    found = await found_in(library)

    assert [one["number"] for *_, one in found] == list(range(facts.MAX_FINDINGS + 2, 2, -1))
    sizes = library.execute("SELECT sum(octet_length(facts)) FROM document_facts")[0][0]
    assert (await library.used())[1] == before[1] + sizes


async def test_findings_in_a_document_that_was_deleted_meanwhile_are_dropped(library: Library) -> None:
    await library.add("lease", "words")
    await library.import_text("lease", 1, "words")
    await library.delete("lease")

    pinned = DocumentRef(id="lease", version=1)
    await library.store.add_facts(library.tenant_id, pinned, job_id=uuid7(), kind="k", facts={})

    assert await found_in(library) == []
