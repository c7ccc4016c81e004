"""Consumer groups over the real ingress: whoever dies when, every event is handled, and by one member at a time."""

import asyncio
import json
import threading
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infrastructure.local_stack.supervisor.processes import Running
from infrastructure.postgres.events.groups import MAX_DELIVERIES
from producers.client import AsyncBucatini, Bucatini, GroupDelivery
from tests.integration.serving import Tenant, World
from tests.system import System
from tests.waiting import wait_until


class Service:
    """A tenant's own service, whose members share events."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant: Tenant = world.tenant()

    def call(self, method: str, path: str, status: int, body: object = None, **headers: str) -> Any:
        with self.world.http(self.tenant) as http:
            answer = http.request(method, f"/api/groups{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def group(self, name: str, *types: str) -> None:
        self.call("PUT", f"/{name}", 200, {"types": types or ["*"]})

    def take(self, name: str, lease_seconds: float = 60.0, most: int = 100, **headers: str) -> list[dict[str, Any]]:
        body = {"lease_seconds": lease_seconds, "most": most}
        taken: list[dict[str, Any]] = self.call("POST", f"/{name}/take", 200, body, **headers)["events"]
        return taken

    def acknowledge(self, name: str, taken: list[dict[str, Any]]) -> int:
        body = {"receipts": [one["receipt"] for one in taken]}
        count: int = self.call("POST", f"/{name}/ack", 200, body)["events"]
        return count

    def submit(self, count: int = 1) -> list[UUID]:
        return [self.world.submit(self.tenant) for _ in range(count)]

    def expire(self) -> None:
        """As if every lease had run out."""
        self.world.database.execute("UPDATE group_events SET leased_until = now() - interval '1 s'")


@pytest.fixture
def service(world: World) -> Service:
    return Service(world)


def _ids(taken: list[dict[str, Any]]) -> list[str]:
    return [one["event"]["id"] for one in taken]


def test_two_groups_each_get_all_and_only_what_they_asked_for(service: Service) -> None:
    service.group("billing", "job.*")
    service.group("audit", "*.succeeded")
    (first,) = service.submit()
    service.world.succeed(first, {"n": 1})

    assert _ids(service.take("billing")) == [f"{first}:1", f"{first}:2"]
    assert _ids(service.take("audit")) == [f"{first}:2"]
    assert service.take("billing") == []


def test_an_acknowledged_event_is_gone_and_another_one_comes_again(service: Service) -> None:
    service.group("billing")
    service.submit(3)
    done, *rest = service.take("billing")

    assert service.acknowledge("billing", [done]) == 1
    assert service.acknowledge("billing", [done]) == 0, "repeating it is safe"
    service.expire()
    again = service.take("billing")
    assert (_ids(again), {one["deliveries"] for one in again}) == (_ids(rest), {2})
    assert service.acknowledge("billing", rest) == 0, "they are somebody else's now"
    assert service.acknowledge("billing", again) == 2
    shown = service.call("GET", "/billing", 200)
    assert (shown["held"], shown["leased"], shown["parked"]) == (0, 0, 0)


def test_a_jobs_events_are_in_order_and_with_one_member_at_a_time(service: Service) -> None:
    service.group("billing")
    first, second = service.submit(2)
    mine = service.take("billing", most=1)
    service.world.succeed(first, {})

    assert _ids(mine) == [f"{first}:1"]
    assert _ids(service.take("billing")) == [f"{second}:1"], "the first job's next event waits for this member"
    service.acknowledge("billing", mine)
    assert _ids(service.take("billing")) == [f"{first}:2"]


def test_a_member_that_waits_is_told_at_once(service: Service) -> None:
    service.group("billing", "job.succeeded")
    (job_id,) = service.submit()
    taken: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: taken.extend(service.take("billing", Prefer="wait=30")))
    waiting.start()
    wait_until(lambda: service.world.under_way, "the member waits")
    service.world.succeed(job_id, {})
    waiting.join(timeout=25)

    assert _ids(taken) == [f"{job_id}:2"]


def test_what_nobody_ever_acknowledges_is_parked_where_it_can_be_seen(service: Service) -> None:
    service.group("billing")
    (poison,) = service.submit()
    for _ in range(MAX_DELIVERIES):
        assert len(service.take("billing")) == 1
        service.expire()

    (harmless,) = service.submit()
    assert _ids(service.take("billing")) == [f"{harmless}:1"]
    assert _ids(service.call("GET", "/billing/parked", 200)["events"]) == [f"{poison}:1"]
    assert service.call("GET", "/billing", 200)["parked"] == 1
    assert service.call("POST", "/billing/release-parked", 200) == {"events": 1}
    assert _ids(service.take("billing")) == [f"{poison}:1"]


def test_an_event_that_is_no_longer_kept_holds_up_nobody(service: Service) -> None:
    service.group("billing")
    forgotten, kept = service.submit(2)
    service.take("billing")
    service.expire()
    service.world.database.execute("DELETE FROM job_events WHERE job_id = %s", (forgotten,))

    assert _ids(service.take("billing")) == [f"{kept}:1"]
    assert service.call("GET", "/billing", 200)["held"] == 1


def test_many_members_at_once_share_without_overlap(service: Service) -> None:
    service.group("billing")
    service.submit(60)
    shares: list[list[str]] = []
    members = [threading.Thread(target=lambda: shares.append(_ids(service.take("billing", most=10)))) for _ in range(8)]
    for member in members:
        member.start()
    for member in members:
        member.join()

    everything = Counter(one for share in shares for one in share)
    assert len(everything) == 60
    assert set(everything.values()) == {1}


def test_an_event_that_commits_late_is_not_passed_over(service: Service) -> None:
    service.group("billing")
    early, late = service.submit(2)
    assert len(service.take("billing")) == 2
    service.expire()
    service.acknowledge("billing", service.take("billing"))
    with service.world.database.transaction():
        service.world.happen(late, "job.started")
        with World(service.world.settings) as another:
            another.happen(early, "job.started")
        assert _ids(service.take("billing")) == [f"{early}:2"]
    assert _ids(service.take("billing")) == [f"{late}:2"]


def test_another_tenant_has_no_part_in_a_group(service: Service) -> None:
    service.group("billing")
    service.submit()
    (held,) = service.take("billing", most=1)
    service.tenant = service.world.tenant()

    assert service.call("GET", "", 200) == {"groups": []}
    service.call("POST", "/billing/take", 404, {})
    service.call("POST", "/billing/ack", 404, {"receipts": [held["receipt"]]})
    service.group("billing")
    assert service.take("billing") == []
    assert service.acknowledge("billing", [held]) == 0
    service.call("DELETE", "/no-such", 404)
    service.call("POST", "/No%00Name/take", 404, {})


def test_both_clients_take_and_acknowledge(service: Service) -> None:
    service.group("billing", "job.queued")
    first, second, third = service.submit(3)
    with Bucatini(service.world.url, service.tenant.key) as client:
        deliveries: list[GroupDelivery] = list(
            islice(client.groups.subscribe("job.queued", group="billing", limit=1), 1)
        )
        assert [one.event.subject for one in deliveries] == [str(first)]
        assert deliveries[0].ack()
        assert not deliveries[0].ack()

    async def take() -> list[str]:
        subjects: list[str] = []
        async with AsyncBucatini(service.world.url, service.tenant.key) as client:
            async for delivery in client.groups.subscribe("job.queued", group="billing"):
                subjects.append(delivery.event.subject)
                assert await delivery.ack()
                if len(subjects) == 2:
                    return subjects
        return subjects

    assert asyncio.run(take()) == [str(second), str(third)]


def test_an_event_that_was_waited_for_longer_than_its_lease_is_handed_over(service: Service) -> None:
    service.group("billing", "job.queued")
    first, second = service.submit(2)
    held = service.take("billing", lease_seconds=2)
    with Bucatini(service.world.url, service.tenant.key) as client:
        delivery = next(client.groups.subscribe("job.queued", group="billing", limit=1, lease_seconds=1))
        assert (delivery.event.subject, delivery.deliveries) == (str(first), 2)
        assert delivery.ack()

    async def take() -> str:
        async with AsyncBucatini(service.world.url, service.tenant.key) as client:
            async for delivery in client.groups.subscribe("job.queued", group="billing", lease_seconds=1):
                assert await delivery.ack()
                return str(delivery.event.subject)
        raise AssertionError("a subscription has no end")

    # The one left over is held once more, so that the other client waits for it as well.
    assert len(held) == 2
    assert len(service.take("billing", lease_seconds=2)) == 1
    assert asyncio.run(asyncio.wait_for(take(), 20.0)) == str(second)


def test_a_killed_member_and_a_restarted_ingress_lose_nothing(system: System) -> None:
    with World(system.settings) as world:
        service = Service(world)
        service.group("billing", "job.queued")
        notes, held = Path(system.folder / "notes.jsonl"), Path(system.folder / "held.jsonl")

        def member(file: Path, *hold: str) -> Running:
            return system.start(
                "tests.member", world.url, service.tenant.key, "billing", "job.queued", str(file), *hold
            )

        doomed = member(held, "HOLD")
        wanted = {f"{job_id}:1" for job_id in service.submit(20)}
        wait_until(held.exists, "a member has events and doesn't acknowledge them")
        member(notes)
        doomed.kill()
        world.stop()
        world.start()
        member(notes)
        wanted |= {f"{job_id}:1" for job_id in service.submit(20)}

        handled = wait_until(
            lambda: seen if (seen := _noted(notes)).keys() == wanted else None, "every event is handled"
        )
        assert set(_noted(held)) < set(handled or ()), "the killed member's too"
        wait_until(lambda: service.call("GET", "/billing", 200)["held"] == 0, "every event is acknowledged")


def _noted(file: Path) -> Counter[str]:
    if not file.exists():
        return Counter()
    lines = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return Counter(json.loads(line)["id"] for line in lines)
