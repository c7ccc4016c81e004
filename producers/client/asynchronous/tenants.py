"""Tenants: an operator's work, and what a tenant uses of its own quotas."""

from collections.abc import AsyncIterator
from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import Id, delete, get, patch, path, post
from schemas.tenants import (
    NewTenant,
    Tenant,
    TenantChange,
    TenantCreated,
    TenantErasure,
    TenantPage,
    TenantUsage,
)

PAGE: Final = 50


class AsyncTenants:
    """All tenants, with an operator's key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self, *, limit: int = PAGE) -> AsyncIterator[Tenant]:
        """The newest first, erased ones too, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            page = await self._client.ask(TenantPage, get(path("tenants"), {"limit": limit, "cursor": cursor}))
            for tenant in page.tenants:
                yield tenant
            cursor = page.next_cursor
            if cursor is None:
                return

    async def find(self, name: str) -> Tenant | None:
        """The tenant of that name."""
        page = await self._client.ask(TenantPage, get(path("tenants"), {"name": name}))
        return page.tenants[0] if page.tenants else None

    async def create(self, wanted: NewTenant) -> TenantCreated:
        """With its first admin key, which is shown this once. Isn't repeated when the connection breaks: if the tenant was
        made, erase it and make it again. ProblemAnswer `name-taken` when there is one of the name."""
        return await self._client.ask(TenantCreated, post(path("tenants"), wanted, repeatable=False))

    async def get(self, tenant_id: Id) -> Tenant:
        """With its limits as they were set, and the erasure's progress or proof."""
        return await self._client.ask(Tenant, get(path("tenants", tenant_id)))

    async def change(self, tenant_id: Id, change: TenantChange) -> Tenant:
        """Sets what the change was made with: limits, or the state `suspended` or `active`. Safe to repeat."""
        return await self._client.ask(Tenant, patch(path("tenants", tenant_id), change))

    async def erase(self, tenant_id: Id) -> TenantErasure:
        """Begins to remove all that the tenant has; `get` has the proof in the end. Safe to repeat."""
        return await self._client.ask(TenantErasure, delete(path("tenants", tenant_id)))

    async def usage(self, tenant_id: Id) -> TenantUsage:
        """Of each quota what is used, and the limit."""
        return await self._client.ask(TenantUsage, get(path("tenants", tenant_id, "usage")))

    async def own_usage(self) -> TenantUsage:
        """The same of the key's own tenant, with an admin's key of it."""
        return await self._client.ask(TenantUsage, get(path("usage")))
