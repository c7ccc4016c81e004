"""Webhooks while what delivers them is killed."""

from tests.integration.outside import Receiving, receiving
from tests.system import System
from tests.waiting import wait_until


def test_killed_dispatchers_and_workers_neither_lose_nor_double_a_delivery(system: System) -> None:
    with receiving(system) as running:
        _kill_under_load(running)


def _kill_under_load(running: Receiving) -> None:
    outside, system = running.outside(), running.system
    webhook = outside.webhook("/200", "job.queued")
    wanted: set[str] = set()
    for _ in range(2):
        dispatcher = system.dispatcher()
        worker = running.worker(HEARTBEAT_SECONDS="0.5")
        wanted |= {f"{outside.world.submit(outside.tenant)}:1" for _ in range(40)}
        wait_until(lambda: outside.ids("/200"), "deliveries are under way")
        dispatcher.kill()
        worker.kill()
    system.dispatcher(LEASE_SECONDS="2")
    running.worker()

    wait_until(lambda: set(outside.ids("/200")) == wanted, "every event is received")
    found = system.read("SELECT event_job_id || ':' || event_seq FROM webhook_deliveries")
    assert sorted(event_id for (event_id,) in found) == sorted(wanted), "one delivery of each, none of the deliverers'"
    assert outside.delivery(webhook, "delivered")
