"""Whose turn is next: by weight among the tenants with pending jobs, newcomers first, and no pending tenant is lost."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from infrastructure.celery.keys import NORMAL_STEP, OWN_STEPS, PATIENT_STEP, URGENT_STEP
from producers.dispatcher.turn_order import Rotation

TENANTS = [UUID(int=number) for number in range(1, 6)]
WEIGHTS = dict(zip(TENANTS, (1, 2, 3, 1, 5), strict=True))
weight: Callable[[UUID], int] = WEIGHTS.__getitem__


def rotation_of(*tenants: UUID) -> Rotation:
    rotation = Rotation()
    rotation.mark_pending((NORMAL_STEP, tenant_id) for tenant_id in tenants)
    return rotation


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60), st.integers(1, 10))
def test_tenants_with_a_backlog_get_shares_by_weight_however_small_the_room(rooms: list[int], turn: int) -> None:
    rotation, allocated = rotation_of(*TENANTS), Counter[UUID]()

    for room in rooms:
        shares = rotation.allocate(room, weight, turn=turn)
        assert sum(share.jobs for share in shares) <= room
        assert all(share.jobs > 0 for share in shares)
        for share in shares:
            allocated[share.tenant_id] += share.jobs

    turns = [allocated[tenant_id] / WEIGHTS[tenant_id] for tenant_id in TENANTS]
    assert max(turns) - min(turns) <= turn, "never more than a turn apart"


def test_room_for_every_tenant_is_allocated_at_once() -> None:
    shares = rotation_of(*TENANTS).allocate(1_200, weight)

    assert {share.tenant_id: share.jobs for share in shares} == {one: 100 * WEIGHTS[one] for one in TENANTS}


def test_a_tenants_urgent_jobs_go_before_its_own_others_and_not_before_other_tenants() -> None:
    rotation = Rotation()
    rotation.mark_pending([(PATIENT_STEP, TENANTS[0]), (URGENT_STEP, TENANTS[0]), (PATIENT_STEP, TENANTS[3])])

    first, second = rotation.allocate(2, weight)
    assert (first.step, second.step) == (URGENT_STEP, PATIENT_STEP)
    rotation.exhausted(URGENT_STEP, TENANTS[0])
    assert [share.step for share in rotation.allocate(2, weight)] == [PATIENT_STEP] * 2


def test_newcomers_go_first_in_the_order_they_came_those_with_few_jobs_before_the_others() -> None:
    rotation = rotation_of(*TENANTS)
    rotation.seen(TENANTS[0], has_few=False)
    rotation.seen(TENANTS[4], has_few=True)

    shares = rotation.newcomers(4, now=10.0, gap_seconds=1.0)

    assert [share.tenant_id for share in shares] == [TENANTS[4], *TENANTS[1:4]]
    assert {share.jobs for share in shares} == {1}


def test_a_tenant_that_comes_and_goes_gets_first_turns_no_more_often_than_its_share() -> None:
    rotation = rotation_of(*TENANTS)
    rotation.newcomers(5, now=10.0, gap_seconds=1.0)
    for tenant_id in TENANTS:
        rotation.took_first_turn(tenant_id, 10.0)
    rotation.exhausted(NORMAL_STEP, TENANTS[1])
    rotation.mark_pending([(NORMAL_STEP, TENANTS[1])])

    assert not rotation.newcomers(5, now=10.9, gap_seconds=1.0)
    assert TENANTS[1] in [share.tenant_id for share in rotation.allocate(100, weight)], "it has its regular turn"
    assert [share.tenant_id for share in rotation.newcomers(5, now=11.1, gap_seconds=1.0)] == [TENANTS[1]]


class Feeding(RuleBasedStateMachine):
    """PostgreSQL as the truth, a rotation that is notified in part and late, and a feeder that reads the shares."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Counter[tuple[int, UUID]]()
        self.rotation = Rotation()
        self.unreported: set[tuple[int, UUID]] = set()
        self.now = 0.0

    @rule(tenant_id=st.sampled_from(TENANTS), step=st.sampled_from(OWN_STEPS), jobs=st.integers(1, 9))
    def submit(self, tenant_id: UUID, step: int, jobs: int) -> None:
        self.waiting[step, tenant_id] += jobs
        self.unreported.add((step, tenant_id))

    @precondition(lambda self: self.unreported)
    @rule()
    def report(self) -> None:
        self.rotation.mark_pending(self.unreported)
        self.unreported.clear()

    @rule(tenant_id=st.sampled_from(TENANTS), step=st.sampled_from(OWN_STEPS))
    def report_a_tenant_that_may_have_nothing_pending(self, tenant_id: UUID, step: int) -> None:
        self.rotation.mark_pending([(step, tenant_id)])
        self.unreported.discard((step, tenant_id))

    @rule(room=st.integers(0, 30), first=st.integers(0, 3), come=st.sampled_from(TENANTS), jobs=st.integers(0, 3))
    def feed(self, room: int, first: int, come: UUID, jobs: int) -> None:
        """Between the read and its use a tenant submits jobs and is marked pending."""
        self.now += 0.1
        newcomers = self.rotation.newcomers(first, now=self.now, gap_seconds=0.25)
        shares = [*newcomers, *self.rotation.allocate(room, weight)]
        read = [min(self.waiting[share[:2]], share.jobs + 1) for share in shares]
        if jobs:
            self.waiting[NORMAL_STEP, come] += jobs
            self.rotation.mark_pending([(NORMAL_STEP, come)])
        for share, found in zip(shares, read, strict=True):
            self.waiting[share[:2]] -= min(found, share.jobs, self.waiting[share[:2]])
            if found <= share.jobs:
                self.rotation.exhausted(*share[:2])
        for share in newcomers:
            self.rotation.took_first_turn(share.tenant_id, self.now)

    def teardown(self) -> None:
        self.rotation.mark_pending(self.unreported)
        for _ in range(1_000):
            for share in self.rotation.allocate(50, weight):
                found = min(self.waiting[share[:2]], share.jobs + 1)
                self.waiting[share[:2]] -= min(found, share.jobs)
                if found <= share.jobs:
                    self.rotation.exhausted(*share[:2])
        assert not +self.waiting, "every pending job had its turn"
        assert len(self.rotation) == 0


TestFeeding = Feeding.TestCase
