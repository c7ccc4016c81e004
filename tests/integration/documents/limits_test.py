"""Quotas, suspension and a change of key hold for documents, whoever else is at it."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from infrastructure.key_vault.keyring import make_key
from infrastructure.postgres.documents.acceptance import Accepted, StaleKey
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.tenants.quotas import QuotaExceeded, TenantSuspended
from infrastructure.wiring import key_vault
from schemas.documents import DocumentRef
from tests.integration.documents.library import Library

pytestmark = pytest.mark.anyio


async def test_a_quota_of_documents_holds_under_fifty_concurrent_acceptances(library: Library) -> None:
    library.limit(documents=20)
    uploads = [await library.sealed(f"d{number}") for number in range(50)]

    outcomes = await asyncio.gather(*[library.accept(one) for one in uploads], return_exceptions=True)

    accepted = [one for one in outcomes if isinstance(one, Accepted)]
    refused = [one for one in outcomes if isinstance(one, QuotaExceeded)]
    assert (len(accepted), len(refused)) == (20, 30)
    assert (refused[0].quota, refused[0].used, refused[0].limit) == ("documents", 20, 20)
    for table in ("documents", "document_versions", "jobs"):
        assert library.execute(f"SELECT count(*) FROM {table}") == [(20,)], table
    assert (await library.used())[0] == 20


async def test_a_quota_of_bytes_holds_under_fifty_concurrent_versions(library: Library) -> None:
    uploads = [await library.sealed("lease", f"words {number:02}") for number in range(50)]
    library.limit(stored_bytes=uploads[0].stored_bytes * 7)

    outcomes = await asyncio.gather(*[library.accept(one) for one in uploads], return_exceptions=True)

    assert sum(isinstance(one, Accepted) for one in outcomes) == 7
    assert sum(isinstance(one, QuotaExceeded) for one in outcomes) == 43
    assert await library.used() == (1, uploads[0].stored_bytes * 7)


async def test_a_deleted_document_makes_room_and_a_revived_one_takes_it(library: Library) -> None:
    library.limit(documents=1)
    await library.add("one")
    await library.delete("one")
    await library.add("two")

    with pytest.raises(QuotaExceeded):
        await library.accept(await library.sealed("one", "again"))

    assert (await library.used())[0] == 1


async def test_a_suspended_tenant_adds_and_deletes_nothing(library: Library) -> None:
    await library.add("lease")
    library.execute("UPDATE tenants SET state = 'suspended' WHERE id = %s", library.tenant_id)

    with pytest.raises(TenantSuspended):
        await library.add("other")
    with pytest.raises(TenantSuspended):
        await library.delete("lease")

    assert library.execute("SELECT count(*) FROM jobs") == [(1,)]


async def test_what_was_sealed_under_a_key_that_was_just_replaced_is_refused(library: Library) -> None:
    await library.upload("lease", b"%PDF")
    upload = await library.sealed("note")

    await change_key(library)

    assert await library.accept(upload) == StaleKey()
    assert library.execute("SELECT document_id FROM documents") == [("lease",)]
    library.keyring.forget_active(library.tenant_id)
    assert isinstance(await library.accept(await library.sealed("note")), Accepted)


async def test_an_import_that_believes_in_the_old_key_stores_under_the_new_one(library: Library) -> None:
    await library.upload("lease", b"%PDF")
    await change_key(library)

    await library.import_text("lease", 1, "words of a lease", page_offsets=(0,))
    await library.store.add_facts(library.tenant_id, DocumentRef(id="lease"), job_id=uuid7(), kind="k", facts={})

    active = "(SELECT int8send(id) FROM tenant_keys WHERE state = 'active')"
    sealed = f"SELECT substring(text FROM 5 FOR 8) = {active}, substring(outline FROM 5 FOR 8) = {active} FROM document_versions"
    assert library.execute(sealed) == [(True, True)]
    assert library.execute(f"SELECT substring(facts FROM 5 FOR 8) = {active} FROM document_facts") == [(True,)]
    assert await library.text("lease") == "words of a lease"


async def change_key(library: Library) -> None:
    """As a rotation begins: `library.keyring` doesn't know of it."""
    async with PostgresRotations(library.settings.database).alone(library.tenant_id) as rotation:
        await rotation.begin(uuid7(), await make_key(key_vault(library.settings)))
