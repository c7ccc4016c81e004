"""What a job would cost, said before it is submitted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.integration.ai.recording import Recording
from tests.integration.serving import Tenant, World
from tests.tenancy import make_tenant

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-5-5"
TEXT = "The rent is EUR 1,250.00, to be paid on the first of each month. " * 100
REPORT = {"title": "Status", "prompt": {"name": "status_report"}, "models": [MODEL]}
FACTS = {"project": "Alder", "report_date": "2026-11-30", "status": "green"}


def estimate(
    world: World, tenant: Tenant, kind: str, command: dict[str, Any], status: int = 200, **more: object
) -> Any:
    with world.http(tenant) as http:
        answer = http.post("/api/ai/estimate", json={"kind": kind, "command": command, **more})
    assert answer.status_code == status, answer.text
    return answer.json()


def processing(**fields: Any) -> dict[str, Any]:
    return {"title": "Lease", "text": TEXT, "models": [MODEL], **fields}


def pointers(problem: Any) -> list[str]:
    return [one["pointer"] for one in problem["errors"]]


def test_reading_a_text_is_a_call_for_each_of_its_parts(world: World, tenant: Tenant) -> None:
    short = estimate(world, tenant, "ai.process_document", processing())
    long = estimate(world, tenant, "ai.process_document", processing(text=TEXT * 12))

    assert (short["model"], short["calls"], short["lane"]) == (MODEL, 1, "realtime")
    assert Decimal(short["likely_usd"]) <= Decimal(short["max_usd"])
    assert long["calls"] == 2
    assert Decimal(long["likely_usd"]) > Decimal(short["likely_usd"])
    assert short["p95_usd"] is None
    assert short["fits"]


def test_a_document_from_a_prompt_is_a_call_for_each_of_its_sections(world: World, tenant: Tenant) -> None:
    found = estimate(world, tenant, "ai.generate_document", REPORT | {"facts": FACTS})
    assert found["calls"] == 5
    assert found["max_output_tokens"] == 5 * 1_000


def test_the_offline_model_and_a_template_cost_nothing(world: World, tenant: Tenant) -> None:
    offline = estimate(world, tenant, "ai.process_document", processing(models=["offline"]))
    sections = [{"heading": "Rent", "text": "It is due."}]
    filled = estimate(world, tenant, "ai.generate_document", {"title": "Notice", "sections": sections})
    assert [Decimal(one["max_usd"]) for one in (offline, filled)] == [0, 0]
    assert filled["calls"] == 0


def test_a_job_with_two_days_is_likely_to_cost_half(world: World, tenant: Tenant) -> None:
    now = estimate(world, tenant, "ai.process_document", processing())
    in_two_days = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    later = estimate(world, tenant, "ai.process_document", processing(), deadline=in_two_days)
    assert later["lane"] == "batch"
    assert Decimal(later["likely_usd"]) * 2 == Decimal(now["likely_usd"])
    assert later["max_usd"] == now["max_usd"]


def test_it_says_whether_it_fits_into_what_may_be_spent(world: World) -> None:
    poor = world.another_key(make_tenant(world.settings.database, ai_usd_a_day="0.0001"))
    found = estimate(world, poor, "ai.process_document", processing())
    assert found["left_today_usd"] == "0.0001"
    assert not found["fits"]


def test_a_jobs_own_limit_counts_too(world: World, tenant: Tenant) -> None:
    assert not estimate(world, tenant, "ai.process_document", processing(max_cost_usd="0.000001"))["fits"]


def test_at_most_it_costs_what_the_dearest_candidate_would(world: World, tenant: Tenant) -> None:
    alone = estimate(world, tenant, "ai.process_document", processing())
    dearer = estimate(world, tenant, "ai.process_document", processing(models=[MODEL, "claude-opus-5-5"]))
    assert (dearer["model"], dearer["likely_usd"]) == (MODEL, alone["likely_usd"])
    assert Decimal(dearer["max_usd"]) == 2 * Decimal(alone["max_usd"])


async def test_after_twenty_such_jobs_it_is_theirs_that_are_likely(
    world: World, tenant: Tenant, recording: Recording
) -> None:
    for number in range(20):
        cost = "1" if number == 19 else "0.25"
        await recording.attempt(cost, model=MODEL, kind="ai.process_document", job_id=uuid7(), job_attempt=1)

    found = estimate(world, tenant, "ai.process_document", processing())
    another = estimate(world, world.tenant(), "ai.process_document", processing())

    assert (found["likely_usd"], found["p95_usd"]) == ("0.25", "0.25")
    assert another["p95_usd"] is None


@pytest.mark.parametrize(
    ("kind", "command", "pointer"),
    [
        ("ai.process_document", {"text": TEXT}, "/command/title"),
        ("ai.process_document", processing(models=[MODEL, "no-such-model"]), "/command/models/1"),
        ("ai.generate_document", REPORT, "/command/facts/project"),
        ("ai.generate_document", REPORT | {"prompt": {"name": "nobody_knows"}}, "/command/prompt/name"),
        ("search.index_document", {"document_id": "a", "title": "b", "text": "c"}, "/kind"),
        ("no.such_kind", {}, "/kind"),
    ],
)
def test_what_couldnt_be_submitted_cant_be_estimated(
    world: World, tenant: Tenant, kind: str, command: dict[str, Any], pointer: str
) -> None:
    assert pointer in pointers(estimate(world, tenant, kind, command, status=422))


async def test_nothing_is_submitted_and_nothing_is_called(world: World, tenant: Tenant, recording: Recording) -> None:
    estimate(world, tenant, "ai.process_document", processing())
    assert recording.rows("id") == []
    with world.http(tenant) as http:
        assert http.get("/api/jobs").json()["jobs"] == []
