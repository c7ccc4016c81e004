"""The job protocol, searched to the end: no accepted job is lost, no attempt ends twice, and every job ends while one
worker lives, whatever fails in between. Taking out a part that makes it so must show at once."""

import pytest

from tests.protocol.model import Limits, Protocol
from tests.protocol.search import Searched, search


@pytest.mark.parametrize(
    "limits",
    [
        Limits(jobs=1, workers=1, faults=3, cancels=1, drains=1),
        Limits(jobs=1, workers=2, faults=2, cancels=1, drains=1, max_attempts=1),
        Limits(jobs=1, workers=2, faults=2),
        Limits(jobs=1, workers=3, faults=1, cancels=1),
        Limits(jobs=2, workers=1, faults=2),
        Limits(jobs=2, workers=2, faults=1, max_attempts=1),
        Limits(jobs=3, workers=1, faults=1, max_attempts=1),
    ],
    ids=lambda limits: ", ".join(f"{count} {name}" for name, count in limits._asdict().items() if count),
)
def test_every_accepted_job_ends_once_whatever_fails(limits: Limits) -> None:
    searched = search(limits)

    print(searched)
    assert searched.found is None, str(searched.found)


SMALL = Limits(jobs=1, workers=2, faults=2)


def test_without_fencing_a_word_that_comes_twice_or_too_late_has_an_effect() -> None:
    wrong = _what_goes_wrong_with(SMALL, Protocol(fencing=False))

    assert "isn't its own" in wrong


def test_without_the_second_ring_a_lost_bell_leaves_its_job_for_ever() -> None:
    wrong = _what_goes_wrong_with(SMALL, Protocol(ring_again=False))

    assert "not every job can end" in wrong
    assert "doesn't take its bell" in wrong


def test_without_the_reaper_a_dead_worker_keeps_its_job_for_ever() -> None:
    wrong = _what_goes_wrong_with(SMALL, Protocol(reaper=False))

    assert "not every job can end" in wrong
    assert "is killed" in wrong or "freezes" in wrong


def test_without_the_lease_check_a_claim_nobody_heard_of_stays_for_ever() -> None:
    wrong = _what_goes_wrong_with(SMALL, Protocol(lease_check=False))

    assert "not every job can end" in wrong
    assert "answer is lost" in wrong


def test_a_reaper_that_looks_only_at_the_newly_dead_misses_a_claim_that_raced_it() -> None:
    wrong = _what_goes_wrong_with(SMALL, Protocol(joins_all_dead=False))

    assert "not every job can end" in wrong
    assert "sends a slow claim" in wrong


def test_what_the_search_counts_as_wrong_is_wrong_without_the_token_rule_too() -> None:
    """Two ends of one attempt are noticed by themselves, not only because a token didn't match."""
    searched = search(SMALL, Protocol(fencing=False), trust_tokens=True)

    print(searched.found)
    assert searched.found is not None
    assert "ended twice" in searched.found.wrong or "became" in searched.found.wrong


def _what_goes_wrong_with(limits: Limits, protocol: Protocol) -> str:
    searched: Searched = search(limits, protocol)
    print(searched)
    print(searched.found)
    assert searched.found is not None, "the search notices nothing"
    return str(searched.found)
