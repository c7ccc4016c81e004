"""Events of tenants, for the operator."""

from typing import ClassVar
from uuid import UUID

from events.envelope import Commands, DomainEvent
from schemas.tenants import EraseTenant


class TenantErased(DomainEvent):
    """Nothing of the tenant is left but its id and the proof; fires once, at the end of the erasure. It doesn't mean that
    backups are gone: what they hold of it is sealed with keys that are destroyed."""

    type: ClassVar[str] = "tenants.erased"
    result_of: ClassVar[Commands] = (EraseTenant,)

    erased_tenant_id: UUID
    erased: dict[str, int]
    """How many rows of each table, objects and indexes were removed."""
    digest: str
    """The proof's SHA-256."""
