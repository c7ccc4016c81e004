"""Schedules on a real database with real dispatchers: each slot makes one job, whoever dies, and its owner steers it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from schemas.tenants import DEFAULT_LIMITS
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until

NIGHTLY: dict[str, Any] = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "kind": "keys.rotate",
    "command": {},
}


def test_two_dispatchers_fire_each_of_many_due_schedules_once(system: System) -> None:
    ids = [_due(system) for _ in range(150)]
    for _ in range(2):
        system.dispatcher(SWEEP_SECONDS="0.1")

    wait_until(lambda: _fired(system) == len(ids), "every schedule has fired")
    made = dict(system.read("SELECT causation_id, count(*) FROM jobs GROUP BY causation_id"))
    assert made == dict.fromkeys(ids, 1)
    assert system.read("SELECT count(*) FROM schedules WHERE next_at <= now() OR last_job_id IS NULL") == [(0,)]


def test_a_dispatcher_killed_while_it_fires_loses_and_repeats_no_slot(system: System) -> None:
    ids = [_due(system) for _ in range(150)]
    with _inserts_held_up(system) as is_held_up:
        victim = system.dispatcher()
        wait_until(is_held_up, "the dispatcher is about to store jobs")
        victim.kill()
    assert system.read("SELECT count(*) FROM jobs") == [(0,)]

    system.dispatcher(SWEEP_SECONDS="0.1")

    wait_until(lambda: _fired(system) == len(ids), "every schedule has fired")
    assert dict(system.read("SELECT causation_id, count(*) FROM jobs GROUP BY causation_id")) == dict.fromkeys(ids, 1)


def test_a_fired_job_runs_with_its_terms(system: System) -> None:
    schedule_id = _due(system, priority=9, deadline_seconds=3_600)
    system.dispatcher()

    (row,) = wait_until(
        lambda: system.read("SELECT kind, queue, state, priority, causation_id, deadline - created_at FROM jobs"),
        "the job is made",
    )
    assert row[:5] == ("keys.rotate", "keys", "queued", 9, schedule_id)
    assert abs(row[5] - timedelta(hours=1)) < timedelta(seconds=5)


def test_of_two_capped_schedules_jobs_one_waits_for_the_other(system: System) -> None:
    for _ in range(2):
        _due(system, concurrency_key="acme", concurrency_limit=1)
    system.dispatcher()

    wait_until(lambda: system.read("SELECT count(*), count(parked) FROM jobs") == [(2, 1)], "one of them is let in")


def test_a_schedule_that_queues_makes_its_next_job_when_the_last_has_ended(system: System) -> None:
    schedule_id = _due(system, overlap="queue")
    system.dispatcher(SWEEP_SECONDS="0.1")
    first = _last_job(system, schedule_id)
    _come_due(system, schedule_id)
    wait_until(lambda: system.read("SELECT held FROM schedules")[0][0], "the second slot is held")
    assert _fired(system) == 1

    _end(system, first)

    wait_until(lambda: _fired(system) == 2, "the second job is made")
    assert system.read("SELECT held FROM schedules") == [([],)]


def test_a_schedule_that_skips_makes_nothing_while_its_last_job_runs(system: System) -> None:
    schedule_id = _due(system)
    system.dispatcher(SWEEP_SECONDS="0.1")
    first = _last_job(system, schedule_id)

    _come_due(system, schedule_id)

    wait_until(lambda: _moved_on(system), "the slot is passed over")
    assert _last_job(system, schedule_id) == first
    assert _fired(system) == 1


def test_a_schedule_that_cancels_ends_the_job_that_still_runs(system: System) -> None:
    schedule_id = _due(system, overlap="cancel_running")
    system.dispatcher(SWEEP_SECONDS="0.1")
    first = _last_job(system, schedule_id)

    _come_due(system, schedule_id)

    wait_until(lambda: _fired(system) == 2, "the second job is made")
    assert system.state(first) == "cancelled"
    assert system.timeline(first) == ["job.queued", "job.cancelled"]


def test_one_that_cant_fire_any_more_is_paused_with_the_reason_and_the_others_fire(system: System) -> None:
    gone, unfit, sound = (
        _due(system, kind="ai.gone"),
        _due(system, command={"secret": 4711}),
        _due(system),
    )
    dispatcher = system.dispatcher()

    assert _last_job(system, sound)
    reasons = dict(system.read("SELECT id, paused_because FROM schedules WHERE paused_at IS NOT NULL"))
    assert reasons.keys() == {gone, unfit}
    assert "no such kind" in reasons[gone]
    assert "4711" not in str(reasons)
    assert not dispatcher.said("4711")


def test_an_owner_makes_changes_pauses_and_deletes_a_schedule(world: World) -> None:
    with world.http(world.tenant()) as http:
        made = http.post("/api/schedules", json=NIGHTLY)
        address = made.headers["location"]
        again = http.post("/api/schedules", json=NIGHTLY)
        taken = http.post("/api/schedules", json={**NIGHTLY, "cron": "0 3 * * *"})
        paused = http.post(f"{address}/pause").json()
        changed = http.put(address, json={**NIGHTLY, "cron": "0 3 * * *", "timezone": "UTC"}).json()
        resumed = http.post(f"{address}/resume").json()
        upcoming = http.get(f"{address}/upcoming", params={"count": 3}).json()["slots"]
        listed = http.get("/api/schedules").json()["schedules"]
        deleted = [http.delete(address).status_code for _ in range(2)]

    assert (made.status_code, again.status_code, taken.status_code) == (201, 200, 409)
    assert again.json()["id"] == made.json()["id"]
    assert datetime.fromisoformat(made.json()["next_at"]) > datetime.now(UTC)
    assert paused["paused_at"] is not None
    assert (paused["next_at"], changed["next_at"]) == (None, None), "a paused one has no next slot, changed or not"
    assert (resumed["paused_at"], resumed["next_at"]) == (None, upcoming[0])
    assert [slot[11:16] for slot in upcoming] == ["03:00"] * 3
    assert [one["id"] for one in listed] == [made.json()["id"]]
    assert "command" not in listed[0]
    assert deleted == [204, 404]


def test_a_schedule_is_run_by_hand_once_for_each_key(world: World) -> None:
    with world.http(world.tenant()) as http:
        address = http.post("/api/schedules", json=NIGHTLY).headers["location"]
        runs = [http.post(f"{address}/run", headers={"idempotency-key": "now"}) for _ in range(2)]

    assert [run.status_code for run in runs] == [202, 202]
    assert runs[0].json()["id"] == runs[1].json()["id"]
    assert runs[0].json()["causation_id"] == address.rpartition("/")[2]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"cron": "* * * *x"}, "/cron"),
        ({"timezone": "Mars"}, "/timezone"),
        ({"kind": "ai.nothing"}, "/kind"),
        ({"kind": "ai.process_document", "command": {"title": "T"}}, "/command/text"),
        ({"overlap": "sometimes"}, "/overlap"),
        ({"concurrency_key": "acme"}, "/concurrency_limit"),
        ({"catch_up_most": 1_000}, "/catch_up_most"),
    ],
)
def test_what_cant_be_scheduled_is_refused_by_its_field(world: World, change: dict[str, Any], pointer: str) -> None:
    with world.http(world.tenant()) as http:
        answer = http.post("/api/schedules", json={**NIGHTLY, **change})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_scheduling_and_running_ask_for_the_scope_of_the_command(world: World) -> None:
    owner = world.tenant()
    writer = world.another_key(owner.id, "jobs:write", "jobs:read")
    with world.http(owner) as own, world.http(writer) as http:
        address = own.post("/api/schedules", json=NIGHTLY).headers["location"]
        answers = [
            http.post("/api/schedules", json=NIGHTLY),
            http.put(address, json=NIGHTLY),
            http.post(f"{address}/run"),
        ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert world.stored()["jobs"] == 0


def test_a_tenant_has_so_many_schedules_and_no_more(world: World) -> None:
    tenant = world.tenant()
    first = _store(world, tenant.id, datetime.now(UTC) + timedelta(days=1))
    world.database.execute(
        """INSERT INTO schedules (id, tenant_id, name, cron, timezone, kind, command, priority, overlap, catch_up,
          catch_up_most, catch_up_window_seconds)
        SELECT gen_random_uuid(), tenant_id, n::text, cron, timezone, kind, command, priority, overlap, catch_up,
          catch_up_most, catch_up_window_seconds FROM schedules, generate_series(2, %s) n WHERE id = %s""",
        (DEFAULT_LIMITS.schedules, first),
    )
    with world.http(tenant) as http:
        full = http.post("/api/schedules", json=NIGHTLY)
        pages: list[set[str]] = []
        cursor = None
        while cursor is not None or not pages:
            params = {"limit": "200"} | ({} if cursor is None else {"cursor": cursor})
            page = http.get("/api/schedules", params=params).json()
            pages.append({one["id"] for one in page["schedules"]})
            cursor = page["next_cursor"]

    assert (full.status_code, full.json()["type"].rpartition("/")[2]) == (409, "too-many-schedules")
    assert len(set().union(*pages)) == DEFAULT_LIMITS.schedules


def _due(system: System, **changes: Any) -> UUID:
    """A schedule whose slot has come, and whose next one is a day away."""
    (slot,) = system.read("SELECT date_trunc('minute', now())")[0]
    cron = f"{slot.astimezone(UTC):%M %H} * * *"
    return _store(system, system.tenant_id, slot, **{"cron": cron, **changes})


def _store(world: System | World, tenant_id: UUID, next_at: datetime, **changes: Any) -> UUID:
    fields = {
        "id": uuid4(),
        "tenant_id": tenant_id,
        "name": str(uuid4()),
        "cron": "* * * * *",
        "timezone": "UTC",
        "kind": "keys.rotate",
        "command": {},
        "priority": 5,
        "overlap": "skip",
        "catch_up": "last",
        "catch_up_most": 10,
        "catch_up_window_seconds": 86_400,
        "next_at": next_at,
        "look_at": next_at,
        **changes,
    }
    fields["command"] = Jsonb(fields["command"])
    names, places = ", ".join(fields), ", ".join(["%s"] * len(fields))
    with _connected(world) as connection:
        connection.execute(f"INSERT INTO schedules ({names}) VALUES ({places})", tuple(fields.values()))
    schedule_id: UUID = fields["id"]
    return schedule_id


def _come_due(system: System, schedule_id: UUID) -> None:
    """Its slot comes once more."""
    with _connected(system) as connection:
        statement = "UPDATE schedules SET next_at = next_at - interval '1 day', look_at = now() WHERE id = %s"
        connection.execute(statement, (schedule_id,))


def _moved_on(system: System) -> bool:
    return bool(system.read("SELECT next_at > now() FROM schedules")[0][0])


def _last_job(system: System, schedule_id: UUID) -> UUID:
    """Once there is one."""

    def last() -> UUID | None:
        job_id: UUID | None = system.read("SELECT last_job_id FROM schedules WHERE id = %s", schedule_id)[0][0]
        return job_id

    job_id = wait_until(last, "the schedule has made a job")
    assert job_id is not None
    return job_id


def _fired(system: System) -> int:
    return int(system.read("SELECT count(*) FROM jobs WHERE kind = 'keys.rotate'")[0][0])


def _end(system: System, job_id: UUID) -> None:
    with _connected(system) as connection:
        connection.execute("UPDATE jobs SET state = 'succeeded', wake_at = NULL WHERE id = %s", (job_id,))


@contextmanager
def _inserts_held_up(system: System) -> Iterator[Callable[[], bool]]:
    """Stops whoever stores a job in the middle of its transaction, and says whether somebody stands there."""
    with _connected(system) as connection:
        connection.execute("""
            CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END'""")
        connection.execute("CREATE TRIGGER hold_up BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION hold_up()")
        connection.execute("SELECT pg_advisory_lock(4711)")
        held_up = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        yield lambda: connection.execute(held_up).fetchone() is not None
        connection.execute("SELECT pg_advisory_unlock(4711)")


def _connected(world: System | World) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(world.settings.database, autocommit=True)
