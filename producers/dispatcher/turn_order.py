"""Whose turn is next: a queue's tenants go round, each by its weight, and who had no turn lately goes first.

Deficit round robin (Shreedhar and Varghese, 1995), where every job costs the same, with a line for newcomers as in
FQ-CoDel (RFC 8290). Of a tenant's own jobs the urgent ones go first; between tenants priorities count for nothing, or
whoever calls all of its jobs urgent would keep the others waiting.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from infrastructure.celery.keys import OWN_STEPS

FEW, UNSEEN, MANY = range(3)


class Share(NamedTuple):
    """So many jobs of a tenant's step may be rung for."""

    step: int
    tenant_id: UUID
    jobs: int


class _Flow:
    """A tenant with jobs that wait."""

    __slots__ = ("named", "steps")

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.named: set[int] = set()
        """Those that were named since they were dealt for: what was read then doesn't end them."""

    @property
    def first_step(self) -> int:
        return next(step for step in OWN_STEPS if step in self.steps)


class Rotation:
    """Of one queue. It only says who is next: what each has is known to PostgreSQL alone, so whoever deals tells of whom
    it found no more."""

    def __init__(self) -> None:
        self._flows: dict[UUID, _Flow] = {}
        """In the order of their turns."""
        self._left = 0
        """What the tenant at the head has left of a turn that was cut short."""
        self._fresh: dict[UUID, int] = {}
        """Those that have had no turn since they came: in the order they came, with what is known of them."""
        self._went_first_at: dict[UUID, float] = {}

    def __len__(self) -> int:
        """How many tenants wait."""
        return len(self._flows)

    def name(self, turns: Iterable[tuple[int, UUID]]) -> None:
        """These (step, tenant) have jobs that wait, or may have."""
        for step, tenant_id in turns:
            if (flow := self._flows.get(tenant_id)) is None:
                flow = self._flows[tenant_id] = _Flow()
                self._fresh[tenant_id] = UNSEEN
            flow.steps.add(step)
            flow.named.add(step)

    def newcomers(self, most: int, *, now: float, apart_seconds: float) -> list[Share]:
        """The job that newcomers may have before all others: first those with few jobs, then those of whom nobody knows,
        then those with many, as they came. Nobody is among them so soon after it went first, or who comes and goes would
        have more than its share."""
        self._forget(now - apart_seconds)
        came = [tenant_id for tenant_id in self._fresh if tenant_id not in self._went_first_at]
        came.sort(key=lambda tenant_id: self._fresh[tenant_id])
        return [self._share(tenant_id, 1) for tenant_id in came[: max(most, 0)]]

    def went_first(self, tenant_id: UUID, now: float) -> None:
        """A newcomer had its turn."""
        self._fresh.pop(tenant_id, None)
        self._went_first_at[tenant_id] = now
        if tenant_id in self._flows:
            self._end_turn(tenant_id)

    def seen(self, tenant_id: UUID, *, has_few: bool) -> None:
        """A newcomer has few jobs, or many."""
        if tenant_id in self._fresh:
            self._fresh[tenant_id] = FEW if has_few else MANY

    def deal(self, room: int, weight: Callable[[UUID], int], *, turn: int = 1) -> list[Share]:
        """Shares of so much room: to each in turn its weight times `turn` jobs, or more at once where
        that leaves room for everybody. A turn that is cut short goes on where it stopped."""
        weights = {tenant_id: weight(tenant_id) for tenant_id in self._flows}
        if room <= 0 or not weights:
            return []
        if (whole := room // sum(weights.values())) >= turn:
            return [self._share(tenant_id, whole * share) for tenant_id, share in weights.items()]
        dealt: list[Share] = []
        for tenant_id, share in weights.items():
            allowed = self._left if self._left and self._is_head(tenant_id) else turn * share
            jobs = min(allowed, room)
            dealt.append(self._share(tenant_id, jobs))
            room -= jobs
            if jobs < allowed:
                self._begin_with(tenant_id, allowed - jobs)
                break
            self._end_turn(tenant_id)
            if not room:
                break
        return dealt

    def exhausted(self, step: int, tenant_id: UUID) -> None:
        """Of this one nothing more was found to wait, unless it was named meanwhile."""
        if (flow := self._flows.get(tenant_id)) is None or step in flow.named:
            return
        flow.steps.discard(step)
        if not flow.steps:
            if self._is_head(tenant_id):
                self._left = 0
            del self._flows[tenant_id]
            self._fresh.pop(tenant_id, None)

    def clear(self) -> None:
        """Nobody waits, as far as is known."""
        self._flows.clear()
        self._fresh.clear()
        self._left = 0

    def _share(self, tenant_id: UUID, jobs: int) -> Share:
        flow = self._flows[tenant_id]
        step = flow.first_step
        flow.named.discard(step)
        return Share(step, tenant_id, jobs)

    def _is_head(self, tenant_id: UUID) -> bool:
        return tenant_id == next(iter(self._flows))

    def _end_turn(self, tenant_id: UUID) -> None:
        if self._is_head(tenant_id):
            self._left = 0
        self._flows[tenant_id] = self._flows.pop(tenant_id)

    def _begin_with(self, tenant_id: UUID, left: int) -> None:
        """Everybody before it had its turn."""
        if not self._is_head(tenant_id):
            self._flows = {tenant_id: self._flows.pop(tenant_id), **self._flows}
        self._left = left

    def _forget(self, before: float) -> None:
        # They were noted in the order of time.
        for tenant_id, went_at in list(self._went_first_at.items()):
            if went_at > before:
                return
            del self._went_first_at[tenant_id]
