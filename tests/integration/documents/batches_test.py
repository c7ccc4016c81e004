"""A batch of documents is accepted whole or not at all, in a few statements."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from infrastructure.postgres.documents import acceptance
from infrastructure.postgres.documents.acceptance import AcceptedAll, Repeated, VersionAdded, VersionKept
from infrastructure.postgres.documents.uploads import UploadedVersion
from infrastructure.postgres.jobs.batches import NewBatch
from infrastructure.postgres.jobs.submission import KeyReused, NewJob
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from tests.integration.documents.library import TERMS, Library

pytestmark = pytest.mark.anyio


async def accept_all(library: Library, uploads: list[UploadedVersion], **terms: Any) -> Any:
    accept = partial(acceptance.accept_all, tenant_id=library.tenant_id, uploaded=uploads, **TERMS, **terms)
    return await library.sessions.run(library.tenant_id, accept)


def batch_of(library: Library, body: bytes = b"one") -> NewBatch:
    job = NewJob(
        id=uuid7(),
        tenant_id=library.tenant_id,
        kind="jobs.batch",
        version=1,
        queue="search",
        priority=5,
        max_attempts=1,
        command="{}",
        idempotency_key="folder",
        body_hash=body,
    )
    return NewBatch(job, atomic=True, tell=lambda jobs: f'{{"name": "folder", "total": {len(jobs)}}}')


async def test_a_batch_has_what_is_new_in_it_in_order(library: Library) -> None:
    await library.add("b", "words of b")
    uploads = [await library.sealed(name, f"words of {name}") for name in ("c", "b", "a")]
    uploads += [
        await library.sealed("a", "other words"),
        await library.sealed("a", "other words"),
        await library.sealed(None),
    ]

    accepted = await accept_all(library, uploads)

    assert isinstance(accepted, AcceptedAll)
    kinds = [(type(one), one.document_id, one.version) for one in accepted.outcomes[:-1]]
    assert kinds == [
        (VersionAdded, "c", 1),
        (VersionKept, "b", 1),
        (VersionAdded, "a", 1),
        (VersionAdded, "a", 2),
        (VersionKept, "a", 2),
    ]
    assert len(accepted.stored) == 4
    assert library.execute("SELECT version FROM documents WHERE document_id = 'a'") == [(2,)]
    assert await library.used() == (4, library.execute("SELECT sum(octet_length(text)) FROM document_versions")[0][0])
    assert library.execute("SELECT count(*) FROM jobs WHERE kind = 'documents.import'") == [(5,)]


async def test_a_thousand_documents_take_a_handful_of_statements(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    execute = Connection.execute

    async def counting(connection: Connection, query: Any, *args: Any, **options: Any) -> Any:
        counted.append(str(query))
        return await execute(connection, query, *args, **options)

    uploads = [await library.sealed(f"d{number}", f"words {number}") for number in range(1_000)]
    monkeypatch.setattr(Connection, "execute", counting)

    await accept_all(library, uploads)

    assert len(counted) <= 10
    assert library.execute("SELECT count(*) FROM document_versions") == [(1_000,)]
    assert library.execute("SELECT count(*) FROM jobs") == [(1_000,)]


async def test_batches_with_the_same_documents_dont_deadlock(library: Library) -> None:
    names = [f"d{number}" for number in range(30)]
    await accept_all(library, [await library.sealed(name, "first") for name in names[::2]])
    uploads = [
        [await library.sealed(name, f"{writer}") for name in (names if writer % 2 else reversed(names))]
        for writer in range(8)
    ]

    await asyncio.gather(*[accept_all(library, some) for some in uploads])

    rows = "SELECT version, count(*) FROM documents GROUP BY version ORDER BY version"
    assert library.execute(rows) == [(8, 15), (9, 15)]
    assert (await library.used())[0] == 30


async def test_a_batch_beyond_the_quota_is_refused_whole(library: Library) -> None:
    library.limit(documents=5)

    with pytest.raises(QuotaExceeded, match="documents"):
        await accept_all(library, [await library.sealed(f"d{number}") for number in range(6)])

    assert [library.execute(f"SELECT count(*) FROM {name}") for name in ("documents", "document_versions", "jobs")] == [
        [(0,)]
    ] * 3
    assert await library.used() == (0, 0)


async def test_a_batch_job_waits_for_its_imports_and_is_made_once(library: Library) -> None:
    batch = batch_of(library)
    uploads = [await library.sealed(name) for name in ("a", "b")]

    accepted = await accept_all(library, uploads, batch=batch)
    again = await accept_all(library, uploads, batch=replace(batch, job=replace(batch.job, id=uuid7())))
    other = await accept_all(library, uploads, batch=batch_of(library, b"two"))

    assert isinstance(accepted, AcceptedAll)
    assert isinstance(again, Repeated)
    assert again.job is not None
    assert again.job.id == batch.job.id
    assert other == KeyReused(batch.job.id)
    assert library.execute("SELECT state, command ->> 'total' FROM jobs WHERE id = %s", batch.job.id) == [
        ("waiting", "2")
    ]
    assert library.execute("SELECT count(*) FROM jobs WHERE parent_id = %s", batch.job.id) == [(2,)]
