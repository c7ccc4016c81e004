"""A tenant's ingestion profiles: what is done with a document once it was imported."""

from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from infrastructure.postgres.tables.documents import ingestion_profiles
from infrastructure.postgres.tenants.quotas import Quota, usage_of
from infrastructure.postgres.tenants.sessions import TenantSession
from schemas.documents import DEFAULT_PROFILE, IngestionProfile, NamedProfile

PROFILES: Final = Quota("profiles", "ingestion_profiles", limit=100)


async def profiles(session: TenantSession, tenant_id: UUID) -> list[NamedProfile]:
    """By name; the default one first, also where nobody has set it."""
    own = ingestion_profiles.c.tenant_id == tenant_id
    found = await session.execute(select(ingestion_profiles).where(own).order_by(ingestion_profiles.c.name))
    named = [NamedProfile(name=row.name, updated_at=row.updated_at, **row.profile) for row in found]
    if all(one.name != DEFAULT_PROFILE for one in named):
        named.append(NamedProfile(name=DEFAULT_PROFILE))
    return sorted(named, key=lambda one: (one.name != DEFAULT_PROFILE, one.name))


async def profile(session: TenantSession, tenant_id: UUID, name: str) -> NamedProfile | None:
    """None when the tenant has no such profile; it always has the default one."""
    return next((one for one in await profiles(session, tenant_id) if one.name == name), None)


async def set_profile(session: TenantSession, tenant_id: UUID, name: str, wanted: IngestionProfile) -> NamedProfile:
    """Adds the profile or replaces it. Documents that are being imported get what it says when their import ends. Raises
    QuotaExceeded when the tenant has too many, and TenantSuspended."""
    standing = await usage_of(session.driver, PROFILES, tenant_id)
    if await profile(session, tenant_id, name) is None:
        standing.check()
    content = wanted.model_dump(mode="json", include=set(IngestionProfile.model_fields))
    new = insert(ingestion_profiles).values(tenant_id=tenant_id, name=name, profile=content)
    replaced = {"profile": new.excluded.profile, "updated_at": func.now()}
    stored = new.on_conflict_do_update(index_elements=["tenant_id", "name"], set_=replaced)
    updated_at = await session.scalar(stored.returning(ingestion_profiles.c.updated_at))
    return NamedProfile(
        name=name, updated_at=updated_at, **wanted.model_dump(include=set(IngestionProfile.model_fields))
    )


async def remove_profile(session: TenantSession, tenant_id: UUID, name: str) -> bool:
    """Removes the profile; the default one is as the product comes again. False when there was none."""
    own = (ingestion_profiles.c.tenant_id == tenant_id, ingestion_profiles.c.name == name)
    removed = await session.execute(delete(ingestion_profiles).where(*own).returning(ingestion_profiles.c.name))
    return removed.first() is not None
