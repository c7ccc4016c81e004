"""Whose turn is next: weighted round robin over a queue's tenants, newcomers first.

Deficit round robin (Shreedhar and Varghese, 1995) with a cost of 1 per job, and a separate list of newcomers as in FQ-CoDel
(RFC 8290). Priorities order a tenant's own jobs only: if they counted between tenants, one that marks all its jobs urgent
would starve the others.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from infrastructure.celery.keys import OWN_STEPS

FEW, UNSEEN, MANY = range(3)


class Share(NamedTuple):
    """How many jobs of this tenant and priority step may be rung for."""

    step: int
    tenant_id: UUID
    jobs: int


class _Flow:
    """A tenant with pending jobs, by priority step."""

    __slots__ = ("pending", "steps")

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.pending: set[int] = set()
        """Steps marked pending since their last share: finding no more jobs for that share doesn't remove them."""

    @property
    def first_step(self) -> int:
        return next(step for step in OWN_STEPS if step in self.steps)


class Rotation:
    """The turn order of one queue's tenants. It doesn't know how many jobs they have, so its caller reports a tenant that has
    none left by `exhausted`."""

    def __init__(self) -> None:
        self._flows: dict[UUID, _Flow] = {}
        """In turn order."""
        self._turn_left = 0
        """Jobs left of the first tenant's turn, where it was cut short."""
        self._newcomers: dict[UUID, int] = {}
        """Tenants that have had no turn yet, in order of arrival, with what is known of their backlog."""
        self._first_turn_at: dict[UUID, float] = {}

    def __len__(self) -> int:
        """How many tenants have pending jobs."""
        return len(self._flows)

    def mark_pending(self, turns: Iterable[tuple[int, UUID]]) -> None:
        """These (step, tenant) have pending jobs, or may have."""
        for step, tenant_id in turns:
            if (flow := self._flows.get(tenant_id)) is None:
                flow = self._flows[tenant_id] = _Flow()
                self._newcomers[tenant_id] = UNSEEN
            flow.steps.add(step)
            flow.pending.add(step)

    def newcomers(self, limit: int, *, now: float, gap_seconds: float) -> list[Share]:
        """Shares of one job for newcomers: those with few jobs first, then those not read yet, then those with many, each in
        order of arrival. A tenant gets none within `gap_seconds` of its last first turn, or one that comes and goes would
        have more than its share."""
        self._expire_first_turns(now - gap_seconds)
        eligible = [tenant_id for tenant_id in self._newcomers if tenant_id not in self._first_turn_at]
        eligible.sort(key=lambda tenant_id: self._newcomers[tenant_id])
        return [self._share(tenant_id, 1) for tenant_id in eligible[: max(limit, 0)]]

    def took_first_turn(self, tenant_id: UUID, now: float) -> None:
        """A newcomer had its first turn: it moves to the end of the order."""
        self._newcomers.pop(tenant_id, None)
        self._first_turn_at[tenant_id] = now
        if tenant_id in self._flows:
            self._end_turn(tenant_id)

    def seen(self, tenant_id: UUID, *, has_few: bool) -> None:
        """Records whether a newcomer's backlog is small."""
        if tenant_id in self._newcomers:
            self._newcomers[tenant_id] = FEW if has_few else MANY

    def allocate(self, room: int, weight: Callable[[UUID], int], *, turn: int = 1) -> list[Share]:
        """Splits the room into shares: each tenant in turn gets its weight times `turn` jobs, or more when there is room for
        all. A turn that the room cuts short is resumed by the next call."""
        weights = {tenant_id: weight(tenant_id) for tenant_id in self._flows}
        if room <= 0 or not weights:
            return []
        if (whole := room // sum(weights.values())) >= turn:
            return [self._share(tenant_id, whole * share) for tenant_id, share in weights.items()]
        allocated: list[Share] = []
        for tenant_id, share in weights.items():
            allowed = self._turn_left if self._turn_left and self._is_head(tenant_id) else turn * share
            jobs = min(allowed, room)
            allocated.append(self._share(tenant_id, jobs))
            room -= jobs
            if jobs < allowed:
                self._resume_turn_of(tenant_id, allowed - jobs)
                break
            self._end_turn(tenant_id)
            if not room:
                break
        return allocated

    def exhausted(self, step: int, tenant_id: UUID) -> None:
        """No more pending jobs were found for this share. Ignored if the step was marked pending since."""
        if (flow := self._flows.get(tenant_id)) is None or step in flow.pending:
            return
        flow.steps.discard(step)
        if not flow.steps:
            if self._is_head(tenant_id):
                self._turn_left = 0
            del self._flows[tenant_id]
            self._newcomers.pop(tenant_id, None)

    def clear(self) -> None:
        """Forgets all tenants."""
        self._flows.clear()
        self._newcomers.clear()
        self._turn_left = 0

    def _share(self, tenant_id: UUID, jobs: int) -> Share:
        flow = self._flows[tenant_id]
        step = flow.first_step
        flow.pending.discard(step)
        return Share(step, tenant_id, jobs)

    def _is_head(self, tenant_id: UUID) -> bool:
        return tenant_id == next(iter(self._flows))

    def _end_turn(self, tenant_id: UUID) -> None:
        if self._is_head(tenant_id):
            self._turn_left = 0
        self._flows[tenant_id] = self._flows.pop(tenant_id)

    def _resume_turn_of(self, tenant_id: UUID, left: int) -> None:
        """Makes it the next tenant, with so many jobs left of its turn."""
        if not self._is_head(tenant_id):
            self._flows = {tenant_id: self._flows.pop(tenant_id), **self._flows}
        self._turn_left = left

    def _expire_first_turns(self, before: float) -> None:
        # The dict is in time order.
        for tenant_id, taken_at in list(self._first_turn_at.items()):
            if taken_at > before:
                return
            del self._first_turn_at[tenant_id]
