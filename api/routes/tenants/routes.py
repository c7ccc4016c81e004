"""Makes, lists, changes and erases tenants: with an operator's key, which sees counts and limits and never contents."""

import logging
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems, tenant_problems
from api.http.pagination import PageQuery, page_of
from api.http.responses import Answer, json_answer
from api.routes.tenants.erasure import erase_tenant
from api.routes.tenants.usage import show_own_usage, show_usage
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import registry, suspension
from infrastructure.postgres.tenants.limits import set_limits
from infrastructure.postgres.tenants.registry import Created
from infrastructure.redis.client import FAULTS
from infrastructure.redis.pubsub import Channel, announce
from schemas.problems import FieldProblem
from schemas.tenants import (
    NewTenant,
    Tenant,
    TenantChange,
    TenantCreated,
    TenantErasure,
    TenantPage,
    TenantState,
    TenantUsage,
)

logger = logging.getLogger(__name__)

WHAT = "tenant"


class TenantQuery(PageQuery):
    name: Annotated[str, Field(max_length=100)] | None = None


async def create_tenant(call: Call[NewTenant, Empty]) -> Answer:
    async def create(connection: Connection) -> Created | None:
        async with connection.transaction():
            return await registry.create(connection, call.body)

    created = await call.ingress.operator.run(create)
    if created is None:
        raise tenant_problems.tenant_exists()
    tenant = created.tenant
    answer = TenantCreated(**dict(tenant), key=created.key)
    return json_answer(201, answer, (b"location", f"/api/tenants/{tenant.id}".encode()))


async def list_tenants(call: Call[Empty, TenantQuery]) -> Answer:
    name = call.query.name

    async def read(before: UUID, limit: int) -> list[Tenant]:
        return await call.ingress.operator.run(
            lambda connection: registry.listed(connection, before=before, limit=limit, name=name)
        )

    page, cursor = await page_of(call, f"tenants {name}", read)
    return json_answer(200, TenantPage(tenants=page, next_cursor=cursor))


async def show_tenant(call: Call[Empty, Empty]) -> Answer:
    tenant_id = call.path_id("id", WHAT)
    found = await call.ingress.operator.run(lambda connection: registry.find(connection, tenant_id))
    if found is None:
        raise problems.not_found(WHAT)
    return json_answer(200, found)


async def change_tenant(call: Call[TenantChange, Empty]) -> Answer:
    """200 with the tenant as it is now. Repeating it is safe."""
    tenant_id = call.path_id("id", WHAT)
    if call.body.state not in (None, TenantState.ACTIVE, TenantState.SUSPENDED):
        detail = "must be active or suspended; DELETE erases"
        raise problems.invalid_fields([FieldProblem(pointer="/state", detail=detail)])
    by = f"operator key {call.principal.key_id or call.principal.subject}"

    async def change(connection: Connection) -> Tenant | None:
        async with connection.transaction():
            await _change(connection, tenant_id, call.body, by)
            return await registry.find(connection, tenant_id)

    changed = await call.ingress.operator.run(change)
    if changed is None:
        raise problems.not_found(WHAT)
    await _announce(call, tenant_id)
    return json_answer(200, changed)


async def _change(connection: Connection, tenant_id: UUID, wanted: TenantChange, by: str) -> None:
    state = await suspension.state_of(connection, tenant_id)
    tenant = await registry.find(connection, tenant_id)
    if state is None or tenant is None:
        raise problems.not_found(WHAT)
    if tenant.is_operator and wanted.state is TenantState.SUSPENDED:
        raise tenant_problems.operator_tenant()
    if state not in (TenantState.ACTIVE, TenantState.SUSPENDED):
        raise tenant_problems.tenant_state_conflict(state)
    await registry.change(connection, tenant_id, display_name=wanted.display_name, region=wanted.region)
    if wanted.limits is not None:
        await set_limits(connection, tenant_id, wanted.limits)
    match wanted.state:
        case TenantState.SUSPENDED:
            await suspension.suspend(connection, tenant_id, wanted.because, by)
        case TenantState.ACTIVE if state is TenantState.SUSPENDED:
            await suspension.resume(connection, tenant_id)


async def delete_tenant(call: Call[Empty, Empty]) -> Answer:
    """202 with the erasure, which a job of the operator's tenant carries out. Repeating it is safe."""
    tenant_id = call.path_id("id", WHAT)
    erasure = await erase_tenant(call, tenant_id)
    await _announce(call, tenant_id)
    return json_answer(202, erasure, (b"location", f"/api/jobs/{erasure.job_id}".encode()))


async def _announce(call: Call[TenantChange, Empty] | Call[Empty, Empty], tenant_id: UUID) -> None:
    call.ingress.tenants.forget(tenant_id)
    try:
        await announce(call.ingress.redis, Channel.RULES, [])
    except FAULTS:
        logger.warning("a tenant's change not announced: Redis can't be reached; processes will see it when they poll")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/tenants",
        summary="List tenants",
        description="The newest first, erased ones too.",
        handle=list_tenants,
        query=TenantQuery,
        answers={200: TenantPage},
        scope=Scope.TENANTS_ADMIN,
        problems=(400,),
    ),
    Endpoint(
        method="POST",
        path="/api/tenants",
        summary="Make a tenant",
        description="The answer is the only place where its first admin key is shown.",
        handle=create_tenant,
        body=NewTenant,
        answers={201: TenantCreated},
        scope=Scope.TENANTS_ADMIN,
        problems=(409,),
    ),
    Endpoint(
        method="GET",
        path="/api/tenants/{id}",
        summary="Show a tenant",
        description="With its limits as they were set, and the erasure's progress or proof.",
        handle=show_tenant,
        answers={200: Tenant},
        scope=Scope.TENANTS_ADMIN,
        problems=(404,),
    ),
    Endpoint(
        method="PATCH",
        path="/api/tenants/{id}",
        summary="Change, suspend or resume a tenant",
        description=(
            "What isn't given stays as it is. A suspended tenant reads and starts nothing, within two seconds "
            "everywhere: new commands are refused with `tenant-suspended`, waiting jobs are held, its schedules and "
            "webhooks pause, and what runs ends."
        ),
        handle=change_tenant,
        body=TenantChange,
        answers={200: Tenant},
        scope=Scope.TENANTS_ADMIN,
        problems=(404, 409),
    ),
    Endpoint(
        method="DELETE",
        path="/api/tenants/{id}",
        summary="Erase a tenant",
        description=(
            "Its keys stop working at once, and a job removes all it has: first the keys that its stored texts are sealed "
            "with, then everything else. The erasure ends with a proof. Repeating the request is safe, and goes on with "
            "an erasure whose job ended before its work."
        ),
        handle=delete_tenant,
        answers={202: TenantErasure},
        scope=Scope.TENANTS_ADMIN,
        problems=(404, 409),
    ),
    Endpoint(
        method="GET",
        path="/api/tenants/{id}/usage",
        summary="Show a tenant's usage",
        description="Of each quota what is used, and the limit that applies.",
        handle=show_usage,
        answers={200: TenantUsage},
        scope=Scope.TENANTS_ADMIN,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path="/api/usage",
        summary="Show your own usage",
        description="Of each quota what is used, and the limit that applies. An operator can raise a limit.",
        handle=show_own_usage,
        answers={200: TenantUsage},
        scope=Scope.ADMIN,
    ),
)
