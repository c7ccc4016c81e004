"""What `bucatini doctor` makes of what it finds."""

from producers.cli.doctor import Verdict, python_finding, redis_finding, workers_finding
from schemas.catalogue import queues


def test_an_old_python_is_named_with_the_one_that_is_needed() -> None:
    finding = python_finding((3, 10, 4))

    assert finding.verdict is Verdict.BAD
    assert finding.text == "3.10.4 is too old: 3.11 is needed"


def test_a_redis_that_evicts_is_wrong_however_well_it_answers() -> None:
    assert redis_finding("8.2", "noeviction").verdict is Verdict.GOOD
    assert redis_finding("8.2", "allkeys-lru").verdict is Verdict.BAD


def test_a_pool_without_a_worker_is_named() -> None:
    finding = workers_finding({"ai": 2, "search": 1, "keys": 1, "webhooks": 1})

    assert finding.verdict is Verdict.BAD
    assert "none for workflow: start it with `bucatini worker POOL`" in finding.text


def test_no_worker_at_all_is_no_fault_before_the_first_start() -> None:
    assert workers_finding({}).verdict is Verdict.ABSENT
    assert workers_finding(dict.fromkeys(queues(), 1)).verdict is Verdict.GOOD
