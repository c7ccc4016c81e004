"""Begins a tenant's erasure: stops the tenant and stores the job that removes what it has, in one transaction."""

from typing import Any
from uuid import UUID

from api.endpoint import Call
from api.http import problems, tenant_problems
from infrastructure.celery.message import JobRef
from infrastructure.postgres.jobs.submission import NewJob, store
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import api_keys, erasure, registry, suspension
from producers.submission.submitter import JobOptions, new_job
from schemas.tenants import EraseTenant, TenantErasure, TenantState


async def erase_tenant(call: Call[Any, Any], tenant_id: UUID) -> TenantErasure:
    """The erasure, begun by this call or an earlier one. Raises a Refusal when there is no such tenant, or it is the
    operator's."""
    options = JobOptions(correlation_id=call.correlation_id, traceparent=call.trace.traceparent)
    job = new_job(call.tenant_id, EraseTenant(erased_tenant_id=tenant_id), options)
    by = f"operator key {call.principal.key_id or call.principal.subject}"
    seconds = call.ingress.settings.ring_again_seconds

    async def begin(connection: Connection) -> TenantErasure:
        async with connection.transaction():
            return await _begin(connection, tenant_id, job, by, ring_again_seconds=seconds)

    begun = await call.ingress.operator.run(begin)
    if begun.job_id == job.id:
        call.ingress.submitter.ring([JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority)])
    return begun


async def _begin(
    connection: Connection, tenant_id: UUID, job: NewJob, by: str, *, ring_again_seconds: float
) -> TenantErasure:
    state = await suspension.state_of(connection, tenant_id)
    tenant = await registry.find(connection, tenant_id)
    if state is None or tenant is None:
        raise problems.not_found("tenant")
    if tenant.is_operator:
        raise tenant_problems.operator_tenant()
    if state in (TenantState.ACTIVE, TenantState.SUSPENDED):
        await suspension.suspend(connection, tenant_id, "", by, state=TenantState.ERASING)
        await api_keys.revoke_all(connection, tenant_id)
    if state is not TenantState.ERASED:
        if await erasure.begin(connection, tenant_id, job.id, by):
            await store(connection, [job], ring_again_seconds=ring_again_seconds, idempotency_hours=1)
        tenant = await registry.find(connection, tenant_id)
    assert tenant is not None
    assert tenant.erasure is not None, "a tenant that is erased has an erasure"
    return tenant.erasure
