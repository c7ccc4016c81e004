"""The uploads that may be under way at a time: in this process, and of one tenant in it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from api.http import document_problems
from api.http.problems import Refusal
from api.http.request_body import Disconnected
from monitoring.metrics import uploads as metrics


class UploadPlaces:
    """One per process."""

    def __init__(self, *, in_all: int, per_tenant: int) -> None:
        self._in_all = in_all
        self._per_tenant = per_tenant
        self._of_tenant: Counter[UUID] = Counter()

    @property
    def taken(self) -> int:
        return self._of_tenant.total()

    @contextmanager
    def one_more(self, tenant_id: UUID) -> Iterator[None]:
        """Takes a place for the duration of the block. Raises a Refusal, 429 or 503, when there is none."""
        self._check(tenant_id)
        self._of_tenant[tenant_id] += 1
        try:
            with _counted():
                yield
        finally:
            self._of_tenant[tenant_id] -= 1
            if not self._of_tenant[tenant_id]:
                del self._of_tenant[tenant_id]

    def _check(self, tenant_id: UUID) -> None:
        refusal: Refusal | None = None
        if self._of_tenant[tenant_id] >= self._per_tenant:
            refusal = document_problems.too_many_uploads("tenant", self._per_tenant)
        elif self.taken >= self._in_all:
            refusal = document_problems.too_many_uploads("process", self._in_all)
        if refusal is not None:
            metrics.upload_refused(refusal.problem.name)
            raise refusal


@contextmanager
def _counted() -> Iterator[None]:
    outcome = metrics.FAILED
    metrics.upload_began()
    try:
        yield
        outcome = metrics.RECEIVED
    except Refusal as refusal:
        outcome = refusal.problem.name
        raise
    except Disconnected:
        outcome = metrics.DISCONNECTED
        raise
    finally:
        metrics.upload_ended(outcome)
