"""A Redis that answers, and refuses: whoever needs it waits, says so, and goes on once it doesn't any more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.local_stack.servers.loopback import LOOPBACK
from infrastructure.redis.client import connect
from infrastructure.redis.probe import probe
from schemas.health import Condition, PartState
from tests.forked import Ended, run
from tests.integration.readiness import reasons, status
from tests.probe import LeaveMark
from tests.redis_faults import CLUSTERDOWN, REFUSING, Refusing, serve_the_slots
from tests.redis_modes import PASSWORD, USUAL, Node, port_with_bus
from tests.system import ROOT, System
from tests.waiting import wait_until

QUICK = {"RING_AGAIN_SECONDS": "1", "RING_ALL_AGAIN_SECONDS": "2"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A Redis of the test's own, which it may reconfigure."""
    running = Node(tmp_path / "redis", USUAL)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def system(node: Node, database_url: str, tmp_path: Path) -> Iterator[System]:
    with System(database_url, f"redis://:{PASSWORD}@{LOOPBACK}:{node.port}/0", tmp_path) as running:
        yield running


@pytest.mark.parametrize("refusing", REFUSING, ids=lambda one: one.name)
def test_work_waits_for_a_redis_that_refuses_and_goes_on(refusing: Refusing, node: Node, system: System) -> None:
    _work_through(refusing, node, system)


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Node]:
    """A cluster of one, which serves no slot yet."""
    configuration = f"{USUAL}cluster-enabled yes\ncluster-config-file nodes.conf\n"
    running = Node(tmp_path / "cluster", configuration, port=port_with_bus())
    running.start()
    yield running
    running.kill()


def test_work_waits_for_a_cluster_that_has_lost_its_slots(lone: Node, database_url: str, tmp_path: Path) -> None:
    serve_the_slots(lone)
    with System(database_url, _in_cluster(lone), tmp_path) as system:
        _work_through(CLUSTERDOWN, lone, system)


def test_whoever_connects_anew_to_a_cluster_without_our_slot_says_so_too(lone: Node) -> None:
    async def probed() -> Condition:
        client = connect(_in_cluster(lone))
        try:
            return await probe(client)
        finally:
            await client.aclose()

    found = asyncio.run(probed())

    assert found.state is PartState.DEGRADED
    assert "doesn't serve our slot" in found.reason


@pytest.mark.parametrize("refusing", REFUSING[1:6:4], ids=lambda one: one.name)
def test_a_worker_that_is_started_while_redis_refuses_waits_for_it(
    refusing: Refusing, node: Node, system: System
) -> None:
    refusing.inflict(node)
    job_ids = system.submit(*[LeaveMark() for _ in range(5)])
    worker, dispatcher = system.worker(), system.dispatcher(**QUICK)
    for process in (worker, dispatcher):
        wait_until(lambda process=process: status(process) == "degraded", "it says so")  # type: ignore[misc]
    doctor = _doctor(system)
    assert doctor.returncode == 1
    assert refusing.said in doctor.stdout

    refusing.mend(node)

    assert system.await_all_finished(5) == {"succeeded": 5}
    assert all(system.marks(job_id) == [1] for job_id in job_ids)
    wait_until(lambda: status(worker) == "ready", "it says that nothing is missing any more")
    assert worker.exit_code is None


def test_flower_outlives_a_redis_that_becomes_a_replica(node: Node, system: System) -> None:
    flower = system.start("producers.cli.flower", FLOWER_PORT="0")
    worker = system.worker()
    replica = REFUSING[1]
    replica.inflict(node)
    wait_until(lambda: replica.said in reasons(worker), "the worker is refused")

    replica.mend(node)

    wait_until(lambda: status(worker) == "ready", "nothing is missing any more")
    assert flower.exit_code is None


def test_a_worker_that_finds_redis_full_takes_bells_out_of_it(node: Node, system: System) -> None:
    system.submit(*[LeaveMark() for _ in range(20)])
    full = REFUSING[0]
    full.inflict(node)

    system.worker()

    assert system.await_all_finished(20) == {"succeeded": 20}
    with node.client() as client:
        assert client.llen("ai") == 0


def _work_through(refusing: Refusing, node: Node, system: System) -> None:
    worker, dispatcher = system.worker(), system.dispatcher(**QUICK)
    (before,) = system.submit(LeaveMark())
    system.await_state(before, "succeeded")

    refusing.inflict(node)
    during = system.submit(*[LeaveMark() for _ in range(5)])
    for process in (worker, dispatcher):
        wait_until(lambda process=process: refusing.said in reasons(process), "it says why")  # type: ignore[misc]
        assert status(process) == "degraded"
        assert process.said("degraded: ")
    refusing.mend(node)

    (after,) = system.submit(LeaveMark())
    assert system.await_all_finished(7) == {"succeeded": 7}
    assert all(system.marks(job_id) == [1] for job_id in (*during, after))
    for process in (worker, dispatcher):
        wait_until(lambda process=process: status(process) == "ready", "nothing is missing any more")  # type: ignore[misc]
        assert process.exit_code is None


def _in_cluster(node: Node) -> str:
    return f"cluster://:{PASSWORD}@{LOOPBACK}:{node.port}"


def _doctor(system: System) -> Ended:
    return run("producers.cli", "doctor", environment=system.environment, folder=ROOT)
