"""Examples of tenants, their limits, usage and erasure."""

from decimal import Decimal
from uuid import UUID

from api.documentation.examples.jobs import A_SECOND_LATER, JOB_ID, NOON
from schemas.tenants import (
    Limits,
    NewTenant,
    QuotaUsage,
    Tenant,
    TenantChange,
    TenantCreated,
    TenantErasure,
    TenantPage,
    TenantState,
    TenantUsage,
)

_ID = UUID("0199f3a1-7a00-7c3e-8a51-2b9d60c4e1f7")
_LIMITS = Limits(webhooks=10, jobs_in_flight=50, weight=2)
_TENANT = Tenant(
    id=_ID,
    name="acme",
    display_name="Acme Ltd",
    region="eu-west",
    state=TenantState.ACTIVE,
    state_because="",
    state_since=NOON,
    is_operator=False,
    created_at=NOON,
    limits=_LIMITS,
)

ANSWERS = (
    _TENANT,
    TenantCreated(**_TENANT.model_dump(), key="bct_k3Yq9ZtR1bXw_this-is-an-example-and-opens-nothing-0000000"),
    TenantPage(tenants=(_TENANT,)),
    TenantErasure(
        tenant_id=_ID,
        job_id=JOB_ID,
        requested_by="k3Yq9ZtR1bXw",
        requested_at=A_SECOND_LATER,
        erased={"tenant_keys": 1},
    ),
    TenantUsage(
        tenant_id=_ID,
        quotas=(QuotaUsage(quota="webhooks", used=Decimal(3), limit=Decimal(10)),),
        jobs_by_state={"queued": 12, "running": 3},
    ),
)
REQUESTS = (
    NewTenant(name="acme", display_name="Acme Ltd", region="eu-west", limits=_LIMITS),
    TenantChange(state=TenantState.SUSPENDED, because="the invoice of May is unpaid"),
)
