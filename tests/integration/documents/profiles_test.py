"""Ingestion profiles: the default one is always there, and a tenant has a bounded number."""

from typing import Any

import pytest

from infrastructure.postgres.documents import profiles
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from schemas.documents import IngestionProfile, NamedProfile
from tests.integration.documents.library import Library, a_library
from tests.tenancy import make_tenant

pytestmark = pytest.mark.anyio


async def set_profile(library: Library, name: str, **wanted: Any) -> NamedProfile:
    return await library.sessions.run(
        library.tenant_id,
        lambda session: profiles.set_profile(session, library.tenant_id, name, IngestionProfile(**wanted)),
    )


async def names(library: Library) -> list[str]:
    found = await library.sessions.run(library.tenant_id, lambda session: profiles.profiles(session, library.tenant_id))
    return [one.name for one in found]


async def test_the_default_profile_is_there_before_anybody_sets_it(library: Library) -> None:
    assert await names(library) == ["default"]
    assert await library.store.profile(library.tenant_id, "default") == IngestionProfile()


async def test_a_profile_is_set_replaced_and_removed(library: Library) -> None:
    await set_profile(library, "archive", index=False)
    await set_profile(library, "archive", index=False, process=True)
    await set_profile(library, "default", process=True)

    assert await names(library) == ["default", "archive"]
    assert await library.store.profile(library.tenant_id, "archive") == IngestionProfile(index=False, process=True)
    removed = await library.sessions.run(
        library.tenant_id, lambda session: profiles.remove_profile(session, library.tenant_id, "archive")
    )
    assert removed
    assert await library.store.profile(library.tenant_id, "archive") == IngestionProfile(process=True), "the default"


async def test_another_tenants_profile_is_none_of_ours(library: Library) -> None:
    await set_profile(library, "default", process=True)

    async with a_library(library.settings, make_tenant(library.settings.database)) as other:
        assert await other.store.profile(other.tenant_id, "default") == IngestionProfile()


async def test_a_tenant_has_a_bounded_number_of_profiles(library: Library) -> None:
    limit = profiles.PROFILES.limit
    assert limit is not None
    library.execute(
        "INSERT INTO ingestion_profiles (tenant_id, name, profile) SELECT %s, 'p' || n, '{}' FROM generate_series(1, %s) n",
        library.tenant_id,
        limit,
    )

    with pytest.raises(QuotaExceeded):
        await set_profile(library, "another")
    await set_profile(library, "p1", index=False)
