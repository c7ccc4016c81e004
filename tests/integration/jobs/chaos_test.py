"""A minute of everything going wrong at once, and at its end nothing lost, nothing done twice, nobody left behind."""

import os
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.storm import Aftermath, Storm, blow
from tests.waiting import GUARD_SECONDS

pytestmark = pytest.mark.alone

SEED = int(os.environ.get("CHAOS_SEED", SystemRandom().randrange(1_000_000)))
"""Printed with the counts, so that a storm that broke something can blow again."""


@pytest.fixture(scope="module")
def aftermath() -> Aftermath:
    storm = Storm(SEED, seconds=40.0, jobs=1_500, rest_seconds=GUARD_SECONDS)
    print(f"CHAOS_SEED={SEED}")
    with TemporaryDirectory(prefix="bucatini-chaos-", ignore_cleanup_errors=True) as folder:
        aftermath = blow(storm, Path(folder))
    print(aftermath)
    return aftermath


def test_every_accepted_job_ended_once_and_its_timeline_tells_how(aftermath: Aftermath) -> None:
    assert not aftermath.ledger.wrong, "\n".join([f"CHAOS_SEED={SEED}", *aftermath.ledger.wrong[:20]])
    assert aftermath.ledger.accepted > 0
    assert aftermath.ledger.batches > 0
    assert aftermath.ledger.most_capped > 0
    assert aftermath.ledger.ends == sum(aftermath.ledger.states.values())


def test_only_what_killed_its_worker_twice_was_called_poison(aftermath: Aftermath) -> None:
    lost = {"kill_a_worker", "freeze_a_worker_past_its_lease", "restart_postgresql"}
    assert aftermath.ledger.poisoned <= sum(aftermath.faults[name] for name in lost)


def test_everybody_who_was_asked_to_end_did_and_nobody_was_left_behind(aftermath: Aftermath) -> None:
    assert set(aftermath.exit_codes) == {0}
    assert aftermath.left_behind == []


def test_no_error_was_swallowed(aftermath: Aftermath) -> None:
    assert "never retrieved" not in aftermath.logs
