# Generated from asynchronous/tenants.py by `python -m producers.packaging`: edit that one.
"""Tenants: an operator's work, and what a tenant uses of its own quotas."""

from collections.abc import Iterator
from typing import Final

from producers.client.blocking.ports import Caller
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


class Tenants:
    """All tenants, with an operator's key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self, *, limit: int = PAGE) -> Iterator[Tenant]:
        """The newest first, erased ones too, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            page = self._client.ask(TenantPage, get(path("tenants"), {"limit": limit, "cursor": cursor}))
            yield from page.tenants
            cursor = page.next_cursor
            if cursor is None:
                return

    def find(self, name: str) -> Tenant | None:
        """The tenant of that name."""
        page = self._client.ask(TenantPage, get(path("tenants"), {"name": name}))
        return page.tenants[0] if page.tenants else None

    def create(self, wanted: NewTenant) -> TenantCreated:
        """With its first admin key, which is shown this once. Isn't repeated when the connection breaks: if the tenant was
        made, erase it and make it again. ProblemAnswer `name-taken` when there is one of the name."""
        return self._client.ask(TenantCreated, post(path("tenants"), wanted, repeatable=False))

    def get(self, tenant_id: Id) -> Tenant:
        """With its limits as they were set, and the erasure's progress or proof."""
        return self._client.ask(Tenant, get(path("tenants", tenant_id)))

    def change(self, tenant_id: Id, change: TenantChange) -> Tenant:
        """Sets what the change was made with: limits, or the state `suspended` or `active`. Safe to repeat."""
        return self._client.ask(Tenant, patch(path("tenants", tenant_id), change))

    def erase(self, tenant_id: Id) -> TenantErasure:
        """Begins to remove all that the tenant has; `get` has the proof in the end. Safe to repeat."""
        return self._client.ask(TenantErasure, delete(path("tenants", tenant_id)))

    def usage(self, tenant_id: Id) -> TenantUsage:
        """Of each quota what is used, and the limit."""
        return self._client.ask(TenantUsage, get(path("tenants", tenant_id, "usage")))

    def own_usage(self) -> TenantUsage:
        """The same of the key's own tenant, with an admin's key of it."""
        return self._client.ask(TenantUsage, get(path("usage")))
