"""What failed is grouped by its reason, until it is run again or succeeds."""

from typing import Any
from uuid import UUID

import httpx

from monitoring.errors.fingerprints import fingerprint
from producers.client import Bucatini
from producers.dispatcher.sweeper import POISON
from schemas.failures import MAX_COUNTED, FailedJobs, FailureGroup, FailureGroups
from schemas.problems import Problem
from tests.integration.cli.jobs_test import Terminal
from tests.integration.jobs.failing_jobs import fail
from tests.integration.serving import World
from tests.probe import Misbehave
from tests.system import System
from tests.waiting import wait_until


def test_failures_of_one_reason_are_one_group_until_they_succeed(system: System, served: World) -> None:
    tenant = served.tenant()
    system.worker()
    broken = system.submit(*[Misbehave(how="refuse") for _ in range(3)], tenant_id=tenant.id)
    (recovers,) = system.submit(Misbehave(how="ask for patience", until_attempt=2), tenant_id=tenant.id)
    for job_id in broken:
        system.await_state(job_id, "failed")

    with served.http(tenant) as http:
        retrying = wait_until(lambda: _group(http, "unavailable"), "the retrying job is in the inbox")
        refused = _group(http, "no-way")
        assert retrying is not None
        system.await_state(recovers, "succeeded")
        assert refused is not None
        assert [group.problem for group in _groups(http).groups] == [refused.problem]

    assert (retrying.count, retrying.job_ids) == (1, (recovers,))
    assert (refused.count, refused.counted_all, refused.kind) == (3, True, "probe.misbehave")
    assert set(refused.job_ids) == set(broken)
    assert refused.first_at <= refused.last_at


def test_a_job_that_is_running_again_is_no_failure_until_that_run_has_ended(system: System, served: World) -> None:
    tenant = served.tenant()
    system.worker()
    (job_id,) = system.submit(Misbehave(how="hang"), tenant_id=tenant.id)

    with served.http(tenant) as http:
        wait_until(lambda: _group(http, "time-limit"), "its first run has failed")
        wait_until(lambda: not _groups(http).groups, "it is running again, and in no group")
        system.await_state(job_id, "dead")
        ended = _group(http, "time-limit")

    assert ended is not None
    assert ended.job_ids == (job_id,)


def test_a_poisonous_job_is_in_the_inbox_like_every_other_failure(system: System, served: World) -> None:
    tenant = served.tenant()
    system.dispatcher(LEASE_SECONDS="3")
    (job_id,) = system.submit(Misbehave(how="kill the process"), tenant_id=tenant.id)
    for tries in (1, 2):
        system.worker(HEARTBEAT_SECONDS="0.5", LEASE_SECONDS="3")
        _await_runs(system, job_id, tries)
    system.await_state(job_id, "dead")

    with served.http(tenant) as http:
        (group,) = _groups(http).groups

    assert group.problem == POISON.type
    assert group.fingerprint == fingerprint(Misbehave.kind, POISON)


def test_a_groups_pages_show_each_job_once_though_all_failed_at_one_time(world: World) -> None:
    tenant = world.tenant()
    failed = fail(world, tenant, 23)
    with world.http(tenant) as http:
        shown = _listed(http, _only_group(http).fingerprint, limit=5)
        changed = http.get(f"/api/failures/{'0' * 16}")
        forged = http.get(f"/api/failures/{_only_group(http).fingerprint}", params={"cursor": "1a.AAAA"})
    with Bucatini(world.url, tenant.key) as client:
        told = [job.id for job in client.failures.jobs(client.failures.groups().groups[0].fingerprint, limit=7)]

    assert sorted(shown) == sorted(told) == sorted(failed)
    assert (changed.status_code, forged.status_code) == (404, 400)


def test_a_group_of_very_many_is_counted_to_a_bound(world: World) -> None:
    tenant = world.tenant()
    fail(world, tenant, MAX_COUNTED + 1)
    fail(world, tenant, 2, problem=Problem.of("rare", "It is rare", 500))
    with world.http(tenant) as http:
        rare, many = _groups(http).groups

    assert (rare.count, rare.counted_all) == (2, True)
    assert (many.count, many.counted_all) == (MAX_COUNTED, False)


def test_failures_are_shown_and_replayed_from_a_terminal(world: World, tmp_path: Any) -> None:
    tenant = world.tenant()
    job_id, *_ = fail(world, tenant, 3)
    terminal = Terminal(world, tenant, tmp_path)
    (tmp_path / "mended.json").write_text('{"title": "Mended", "text": "words"}', encoding="utf-8")
    table = terminal.type("failures")
    with world.http(tenant) as http:
        shown = terminal.type("failures", _only_group(http).fingerprint, "--output", "jsonl")
    one = terminal.type("jobs", "replay", str(job_id), "--command", "mended.json")
    counted = terminal.type("jobs", "replay", "--state", "failed", "--since", "2020-01-01", "--dry-run")
    many = terminal.type("jobs", "replay", "--kind", "ai.process_document", "--output", "jsonl")
    wrong = terminal.type("jobs", "replay", "--state", "asleep")

    assert "It is odd: line 17" in table.stdout
    assert len(shown.stdout.splitlines()) == 3
    assert one.stdout == f"job {job_id} is queued\n"
    assert counted.stdout == "2 jobs would be replayed\n"
    assert '"state":"running"' in many.stdout
    assert (wrong.returncode, "--state" in wrong.stderr) == (2, True)


def _await_runs(system: System, job_id: UUID, tries: int) -> None:
    wait_until(lambda: system.timeline(job_id).count("job.started") == tries, "it is tried")
    wait_until(lambda: system.state(job_id) in ("queued", "dead"), "its worker's death is noticed")


def _groups(http: httpx.Client) -> FailureGroups:
    return FailureGroups.model_validate_json(http.get("/api/failures").content)


def _group(http: httpx.Client, name: str) -> FailureGroup | None:
    return next((one for one in _groups(http).groups if one.problem.endswith(f"/{name}")), None)


def _only_group(http: httpx.Client) -> FailureGroup:
    (group,) = _groups(http).groups
    return group


def _listed(http: httpx.Client, fingerprint: str, *, limit: int) -> list[UUID]:
    found: list[UUID] = []
    cursor: dict[str, str] = {}
    while True:
        answer = http.get(f"/api/failures/{fingerprint}", params={"limit": limit, **cursor})
        page = FailedJobs.model_validate_json(answer.content)
        found += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return found
        cursor = {"cursor": page.next_cursor}
