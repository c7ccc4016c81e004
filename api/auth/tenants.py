"""What each request must know of its tenant: its state, its limits and whether it is the operator's.

Kept for a second at the most, so that a suspension is in effect everywhere within two. While requests keep coming the
record is read again in the background, and none of them waits.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from api.auth.principal import Scope
from api.http import problems, tenant_problems
from infrastructure.concurrency.batching import Batcher, Overloaded
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.ports import Unavailable
from infrastructure.postgres.session import PostgresSession
from infrastructure.postgres.tenants import registry
from infrastructure.postgres.tenants.registry import TenantRecord
from schemas.tenants import Limits, TenantState, effective

FRESH_SECONDS: Final = 1.0
RENEW_SECONDS: Final = 0.5
"""A record older than this is read again in the background."""
MAX_REMEMBERED: Final = 20_000
READABLE: Final = frozenset({TenantState.ACTIVE, TenantState.SUSPENDED})


class TenantRecords:
    """One per process. Concurrent look-ups share one statement."""

    def __init__(self, session: PostgresSession, defaults: Limits) -> None:
        self._session = session
        self.defaults = defaults
        self._lookups: Batcher[UUID, TenantRecord | None] = Batcher(self._look_up, "tenant records")
        self._known: OrderedDict[UUID, tuple[float, TenantRecord]] = OrderedDict()
        self._renewing: set[UUID] = set()
        self._tasks = WatchedTasks()

    async def of(self, tenant_id: UUID) -> TenantRecord:
        """The tenant's record with the limits that apply. Raises a Refusal (401) when the tenant is being erased or gone."""
        known = self._known.get(tenant_id)
        age = FRESH_SECONDS if known is None else time.monotonic() - known[0]
        if known is None or age >= FRESH_SECONDS:
            record = await self._fresh(tenant_id)
        else:
            record = known[1]
            if age >= RENEW_SECONDS and tenant_id not in self._renewing:
                self._renew(tenant_id)
        if record is None or record.state not in READABLE:
            raise problems.unauthenticated()
        return record

    def forget(self, tenant_id: UUID) -> None:
        """Reads the record anew for the next request, since this process changed it."""
        self._known.pop(tenant_id, None)

    async def close(self) -> None:
        await self._tasks.cancel()
        await self._lookups.drain()

    def _renew(self, tenant_id: UUID) -> None:
        self._renewing.add(tenant_id)
        self._tasks.start(self._renewed(tenant_id), "renews a tenant's record")

    async def _renewed(self, tenant_id: UUID) -> None:
        try:
            await self._fresh(tenant_id)
        except (Unavailable, Overloaded):
            return  # The next request after FRESH_SECONDS waits for an answer, or gets the error.
        finally:
            self._renewing.discard(tenant_id)

    async def _fresh(self, tenant_id: UUID) -> TenantRecord | None:
        asked_at = time.monotonic()  # Before the query: a slow answer is that much older.
        record = await self._lookups.put(tenant_id)
        self._known.pop(tenant_id, None)
        if record is not None:
            self._known[tenant_id] = (asked_at, record)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return record

    async def _look_up(self, tenant_ids: Sequence[UUID]) -> Sequence[TenantRecord | None]:
        found: Mapping[UUID, TenantRecord] = await self._session.run(
            lambda connection: registry.records(connection, list(set(tenant_ids)))
        )
        return [self._with_defaults(found.get(one)) for one in tenant_ids]

    def _with_defaults(self, record: TenantRecord | None) -> TenantRecord | None:
        if record is None:
            return None
        return TenantRecord(record.state, record.because, record.is_operator, effective(record.limits, self.defaults))


def check_tenant(tenant: TenantRecord, scope: Scope | None, *, answers_suspended: bool) -> None:
    """Raises a Refusal (403) when a suspended tenant may not do this, or only the operator's tenant may."""
    if scope is Scope.TENANTS_ADMIN and not tenant.is_operator:
        raise problems.scope_missing(Scope.TENANTS_ADMIN)
    if tenant.state is TenantState.SUSPENDED and not answers_suspended:
        raise tenant_problems.tenant_suspended(tenant.because)
