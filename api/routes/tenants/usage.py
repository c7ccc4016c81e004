"""Answers what a tenant uses of its quotas."""

from decimal import Decimal
from uuid import UUID

from api.dependencies import Dependencies
from api.endpoint import Call, Empty
from api.http import problems
from api.http.responses import Answer, json_answer
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import registry, usage
from infrastructure.postgres.tenants.usage import Amount
from schemas.tenants import Limits, QuotaUsage, Tenant, TenantUsage, effective


async def show_usage(call: Call[Empty, Empty]) -> Answer:
    """Any tenant's, for an operator."""
    return await _answer(call.ingress, call.path_id("id", "tenant"))


async def show_own_usage(call: Call[Empty, Empty]) -> Answer:
    return await _answer(call.ingress, call.tenant_id)


async def _answer(ingress: Dependencies, tenant_id: UUID) -> Answer:
    async def read(connection: Connection) -> tuple[Tenant, dict[str, Decimal], dict[str, int]] | None:
        tenant = await registry.find(connection, tenant_id)
        if tenant is None:
            return None
        return tenant, await _used(connection, tenant_id), await usage.jobs_by_state(connection, tenant_id)

    found = await ingress.operator.run(read)
    if found is None:
        raise problems.not_found("tenant")
    tenant, used, jobs = found
    limits = effective(tenant.limits, ingress.tenants.defaults)
    used["requests_per_minute"] = Decimal(ingress.rates.used(tenant_id))
    used["streams"] = Decimal(ingress.streams.of(tenant_id))
    used["queued_jobs"] = Decimal(sum(jobs.values()) - jobs.get("running", 0))
    used["jobs_in_flight"] = Decimal(jobs.get("running", 0))
    quotas = tuple(QuotaUsage(quota=name, used=used[name], limit=_limit(limits, name)) for name in _QUOTAS)
    return json_answer(200, TenantUsage(tenant_id=tenant_id, quotas=quotas, jobs_by_state=jobs))


_QUOTAS = tuple(name for name in Limits.model_fields if name != "weight")


async def _used(connection: Connection, tenant_id: UUID) -> dict[str, Decimal]:
    amounts = await usage.amounts(connection, tenant_id)
    kept = await usage.kept(connection, tenant_id)
    return {what.value: amounts[what] for what in Amount} | {name: Decimal(count) for name, count in kept.items()}


def _limit(limits: Limits, name: str) -> Decimal | None:
    limit = getattr(limits, name)
    return None if limit is None else Decimal(limit)
