"""Each quota refuses what passes it, says how much is used and who can raise it, and is counted in /metrics."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import httpx
import pytest

from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from infrastructure.postgres.tenants.usage import Amount
from infrastructure.settings import Settings
from monitoring.metrics import bus
from schemas.problems import Problem
from tests.integration.serving import PROCESS, Tenant, World
from tests.tenancy import limit_tenant, make_tenant
from tests.waiting import wait_until

DOCUMENT = {"title": "T", "text": "words"}
AT_ONCE = 50


def limited(world: World, **limits: object) -> Tenant:
    tenant = world.tenant()
    limit_tenant(world.settings, tenant.id, **limits)
    return tenant


def refused(answer: httpx.Response, status: int, quota: str) -> str:
    """What the refusal says."""
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.name) == (status, f"too-many-{quota.replace('_', '-')}")
    assert "operator" in problem.detail
    assert quota in problem.detail
    return problem.detail


def test_jobs_beyond_the_quota_are_refused_however_many_are_submitted_at_once(world: World) -> None:
    tenant = limited(world, queued_jobs=10)
    before = _refusals("queued_jobs")
    with world.http(tenant) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: http.post(PROCESS, json=DOCUMENT), range(AT_ONCE)))
        batch = http.post("/api/jobs/batch", json={"jobs": [{"kind": "ai.process_document", "command": DOCUMENT}]})

    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len(accepted) == 10
    for answer in (*(answer for answer in answers if answer.status_code != 202), batch):
        assert "10 of 10" in refused(answer, 429, "queued_jobs")
        assert answer.headers["retry-after"] == "1"
    assert _refusals("queued_jobs") - before == AT_ONCE - 10 + 1


def test_jobs_that_are_held_capped_or_due_later_count_until_they_end(world: World) -> None:
    tenant = limited(world, queued_jobs=3, jobs_in_flight=1)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with world.http(tenant) as http:
        capped = [http.post(PROCESS, json=DOCUMENT) for _ in range(2)]
        due_later = http.post(PROCESS, json=DOCUMENT, params={"run_at": later})
        refused(http.post(PROCESS, json=DOCUMENT), 429, "queued_jobs")
        shown = http.get("/api/usage").json()["jobs_by_state"]
        http.post(f"/api/jobs/{due_later.json()['id']}/cancel")
        wait_until(lambda: http.post(PROCESS, json=DOCUMENT).status_code == 202, "there is room again")

    assert [answer.status_code for answer in (*capped, due_later)] == [202] * 3
    assert shown == {"capped": 2, "scheduled": 1}


def test_a_tenants_own_limit_of_requests_holds_and_others_keep_theirs(world: World) -> None:
    tenant, other = limited(world, requests_per_minute=5), world.tenant()
    with world.http(tenant) as http, world.http(other) as another:
        answers = [http.get("/api/jobs") for _ in range(7)]
        assert another.get("/api/jobs").status_code == 200

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert "requests_per_minute" in answers[-1].json()["detail"]
    assert '"tenant";q=5' in answers[0].headers["ratelimit-policy"]


def test_streams_beyond_the_quota_are_refused_until_one_ends(world: World) -> None:
    tenant = limited(world, streams=1)
    with world.http(tenant) as http:
        with http.stream("GET", "/api/events") as stream:
            lines = stream.iter_lines()  # Kept: the stream is closed when nobody reads its lines any more.
            next(lines)
            with http.stream("GET", "/api/events") as beyond:
                assert beyond.status_code == 429
                beyond.read()
                assert "1 of 1" in refused(beyond, 429, "streams")
        wait_until(lambda: _opens(world, tenant), "another can be opened")


def test_an_amount_never_passes_its_limit_by_many_at_once_and_what_is_removed_makes_room(
    api_settings: Settings,
) -> None:
    """Fifty uploads of 10 bytes each into 105: ten are stored, and nothing is counted of the others."""
    tenant_id = make_tenant(api_settings.database, stored_bytes=105)

    async def upload(pool: TenantPool, size: int) -> bool:
        async def store(connection: Connection) -> None:
            await usage.change(connection, tenant_id, {Amount.STORED_BYTES: size, Amount.DOCUMENTS: 1})

        try:
            await pool.run(tenant_id, store)
        except QuotaExceeded:
            return False
        return True

    async def run() -> None:
        async with TenantPool(api_settings.database, "test", 8) as pool:
            stored = await asyncio.gather(*[upload(pool, 10) for _ in range(AT_ONCE)])
            assert sum(stored) == 10
            assert await _amounts(pool, tenant_id) == (100, 10)
            await pool.run(
                tenant_id, lambda connection: usage.change(connection, tenant_id, {Amount.STORED_BYTES: -50})
            )
            assert await upload(pool, 55)
            assert not await upload(pool, 1)

    asyncio.run(run())


def test_money_is_counted_by_the_day_and_the_month(api_settings: Settings) -> None:
    tenant_id = make_tenant(api_settings.database, ai_usd_a_day="1.00", ai_usd_a_month="1.50")
    cost = {Amount.AI_USD_A_DAY: Decimal("0.75"), Amount.AI_USD_A_MONTH: Decimal("0.75")}

    async def run() -> None:
        async with TenantPool(api_settings.database, "test", 1) as pool:
            await pool.run(tenant_id, lambda connection: usage.change(connection, tenant_id, cost))
            with pytest.raises(QuotaExceeded, match="ai_usd_a_day"):
                await pool.run(tenant_id, lambda connection: usage.change(connection, tenant_id, cost))
            amounts = await pool.run(tenant_id, lambda connection: usage.amounts(connection, tenant_id))
            assert amounts[Amount.AI_USD_A_DAY] == amounts[Amount.AI_USD_A_MONTH] == Decimal("0.75")

    asyncio.run(run())


async def _amounts(pool: TenantPool, tenant_id: UUID) -> tuple[int, int]:
    found = await pool.run(tenant_id, lambda connection: usage.amounts(connection, tenant_id))
    return int(found[Amount.STORED_BYTES]), int(found[Amount.DOCUMENTS])


def _opens(world: World, tenant: Tenant) -> bool:
    with world.http(tenant) as http, http.stream("GET", "/api/events") as stream:
        return stream.status_code == 200


def _refusals(quota: str) -> float:
    found = re.search(rf'bucatini_quotas_refused_total{{quota="{quota}"}} ([\d.]+)', bus.render_metrics()[0].decode())
    assert found is not None, "a series counts from zero"
    return float(found[1])
