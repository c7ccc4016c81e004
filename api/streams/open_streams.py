"""The quota of event streams and WebSockets that a tenant may have open, counted in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from infrastructure.postgres.tenants.quotas import QuotaExceeded


class OpenStreams:
    """One per process."""

    def __init__(self) -> None:
        self._of_tenant: Counter[UUID] = Counter()

    def of(self, tenant_id: UUID) -> int:
        return self._of_tenant[tenant_id]

    @contextmanager
    def one_more(self, tenant_id: UUID, limit: int | None) -> Iterator[None]:
        """Counts a stream for the duration of the block. Raises QuotaExceeded at the limit."""
        open_now = self._of_tenant[tenant_id]
        if limit is not None and open_now >= limit:
            raise QuotaExceeded("streams", used=open_now, limit=limit)
        self._of_tenant[tenant_id] += 1
        try:
            yield
        finally:
            self._of_tenant[tenant_id] -= 1
            if not self._of_tenant[tenant_id]:
                del self._of_tenant[tenant_id]
