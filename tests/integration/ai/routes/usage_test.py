"""What models were used for and what it cost, added up for the tenant, for a spreadsheet, and for an operator."""

import csv
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest

from api.dependencies import REPORTS_AT_ONCE, REQUEST_SESSIONS
from infrastructure.ports.ai.ledger import CACHED
from infrastructure.ports.ai.response import TokenCounts, Usage
from infrastructure.postgres.ai import usage
from producers.client import AsyncBucatini
from tests.integration.ai.recording import Recording, a_recording, new_attempt
from tests.integration.serving import Tenant, World
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio
PATH = "/api/ai/usage"


def ask(world: World, tenant: Tenant, query: str = "", status: int = 200) -> Any:
    with world.http(tenant) as http:
        answer = http.get(PATH + query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def some_calls(recording: Recording) -> None:
    read = Usage({"in": 1}, TokenCounts(1_000, 50, 800))
    await recording.attempt("0.25", model="a", prompt="letter", prompt_version=2, end_usage=read)
    await recording.attempt("0.5", model="b", provider="anthropic", end_shadow_usd=Decimal("0.75"))
    await recording.attempt("0", model="b", provider="anthropic", end_outcome=CACHED, end_shadow_usd=Decimal("0.25"))
    await recording.attempt(None, model="b", provider="anthropic", end_outcome="cut_short", end_usage=Usage({}, None))
    await recording.ledger.begin(new_attempt(recording.tenant_id, model="b", provider="anthropic"))


async def test_usage_is_added_up_by_model(world: World, tenant: Tenant, recording: Recording) -> None:
    await some_calls(recording)

    report = ask(world, tenant, "?by=model")

    by_model = {(row["provider"], row["model"]): row for row in report["rows"]}
    assert set(by_model) == {("openai", "a"), ("anthropic", "b")}
    a, b = by_model["openai", "a"], by_model["anthropic", "b"]
    assert (a["calls"], a["input_tokens"], a["output_tokens"], a["cache_read_tokens"]) == (1, 1_000, 50, 800)
    assert (a["cost_usd"], a["day"], a["prompt"]) == ("0.25", None, None)
    assert (b["calls"], b["cached"], b["failed"], b["unpriced"]) == (3, 1, 1, 1)
    assert (b["cost_usd"], b["shadow_usd"]) == ("0.5", "1")
    assert (report["total"]["cost_usd"], report["total"]["calls"]) == ("0.75", 4)
    assert report["saved_percent"] == 50.0


async def test_days_are_those_of_utc_and_the_month_is_what_is_asked_for_if_nothing_is(
    world: World, tenant: Tenant, recording: Recording
) -> None:
    await recording.attempt("0.25")
    await recording.attempt("1")
    recording.execute(
        "UPDATE ai_service_requests SET created_at = date_trunc('month', now()) - interval '1 second' WHERE cost_usd = 1"
    )
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    yesterday = month - timedelta(days=1)

    usual = ask(world, tenant)
    longer = ask(world, tenant, f"?since={quote(yesterday.isoformat())}&by=day,kind")
    ended = ask(world, tenant, f"?since={quote(yesterday.isoformat())}&until={quote(month.isoformat())}")

    assert [(row["day"], row["cost_usd"]) for row in usual["rows"]] == [(f"{datetime.now(UTC):%Y-%m-%d}", "0.25")]
    assert [(row["day"], row["kind"]) for row in longer["rows"]] == [
        (f"{yesterday:%Y-%m-%d}", "ai.generate_document"),
        (usual["rows"][0]["day"], "ai.generate_document"),
    ]
    assert ended["total"]["cost_usd"] == "1"


async def test_a_table_has_the_rows_alone_and_no_formulas(world: World, tenant: Tenant, recording: Recording) -> None:
    await recording.attempt("0.0000000001", prompt='=HYPERLINK("https://8.8.8.8")', prompt_version=1)
    await recording.attempt("0.25", prompt="letter, long", prompt_version=2)
    with world.http(tenant) as http:
        by_accept = http.get(f"{PATH}?by=prompt", headers={"accept": "text/csv;q=0.9, application/json"})
        by_path = http.get(f"{PATH}.csv?by=prompt")
        by_format = http.get(f"{PATH}?by=prompt&format=csv")
        json_wins = http.get(f"{PATH}?by=prompt&format=json", headers={"accept": "text/csv"})

    assert by_accept.text == by_path.text == by_format.text
    assert by_accept.headers["content-type"].startswith("text/csv")
    assert by_path.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert json_wins.json()["total"]["calls"] == 2
    header, *rows = csv.reader(StringIO(by_path.text, newline=""))
    assert header == [
        "prompt",
        "prompt_version",
        "calls",
        "cached",
        "failed",
        "unpriced",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cost_usd",
        "shadow_usd",
    ]
    named = {row[0]: row for row in rows}
    assert set(named) == {'\'=HYPERLINK("https://8.8.8.8")', "letter, long"}
    assert [row[-2] for row in named.values()] == ["0.0000000001", "0.25"]


async def test_a_tenant_sees_its_own_alone_and_an_operator_each(world: World) -> None:
    operator = world.operator()
    one, other = world.tenant(), world.tenant()
    async with a_recording(world.settings, one.id) as recording:
        await recording.attempt("0.25")
    async with a_recording(world.settings, other.id) as recording:
        await recording.attempt("0.5")

    own, all_of_them = ask(world, one, "?by=tenant"), ask(world, operator, "?by=tenant")
    operators_own = ask(world, operator)

    names: dict[UUID, str] = dict(world.database.execute("SELECT id, name FROM tenants").fetchall())
    assert [(row["tenant"], row["cost_usd"]) for row in own["rows"]] == [(names[one.id], "0.25")]
    assert {row["tenant"]: row["cost_usd"] for row in all_of_them["rows"]} == {
        names[one.id]: "0.25",
        names[other.id]: "0.5",
    }
    assert operators_own["rows"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?by=day,weather", "/query/by"),
        ("?since=yesterday", "/query/since"),
        ("?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "/query/since"),
        ("?since=2020-01-01T00:00:00Z", "/query/since"),
        ("?format=xml", "/query/format"),
    ],
)
async def test_what_cant_be_asked_says_why(world: World, tenant: Tenant, query: str, pointer: str) -> None:
    problem = ask(world, tenant, query, status=422)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_more_rows_than_anybody_reads_are_refused(
    world: World, tenant: Tenant, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MAX_ROWS", 1)
    await some_calls(recording)

    problem = ask(world, tenant, "?by=model", status=422)

    assert "fewer distinctions" in problem["errors"][0]["detail"]


async def test_reading_costs_needs_its_scope(world: World) -> None:
    refused = ask(world, world.tenant("jobs:read"), status=403)

    assert "ai:read" in refused["detail"]
    assert ask(world, world.tenant("ai:read"))["rows"] == []


async def test_the_client_asks_for_the_same(world: World, tenant: Tenant, recording: Recording) -> None:
    await some_calls(recording)
    async with AsyncBucatini(world.url, tenant.key) as bucatini:
        report = await bucatini.ai.usage(by=["model", "day"], since=datetime.now(UTC) - timedelta(hours=1))
        table = await bucatini.ai.usage_csv(by=["model"])

    assert (report.total.cost_usd, len(report.rows)) == (Decimal("0.75"), 2)
    assert table.splitlines()[0].startswith("provider,model,calls")


def test_reports_that_take_long_leave_others_their_connections(world: World) -> None:
    greedy, other = world.tenant(), world.tenant()
    with psycopg.connect(world.settings.database) as connection, ThreadPoolExecutor(REQUEST_SESSIONS + 2) as threads:
        connection.execute("LOCK TABLE ai_service_requests IN ACCESS EXCLUSIVE MODE")
        reports = [threads.submit(ask, world, greedy) for _ in range(REQUEST_SESSIONS + 2)]
        wait_until(lambda: _waiting_for_the_lock(world) == REPORTS_AT_ONCE, "as many as may are added up")
        with world.http(other) as http:
            answered = http.get("/api/schedules")
        standing = [report.done() for report in reports]
        connection.commit()

        assert (answered.status_code, any(standing)) == (200, False)
        assert [report.result()["rows"] for report in reports] == [[]] * len(reports)


def _waiting_for_the_lock(world: World) -> int:
    found = world.database.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    row = found.fetchone()
    assert row is not None
    return int(row[0])
