"""Every attempt at a call is written down before it is made, and what it cost once it has ended, exactly once."""

import asyncio
from collections import defaultdict
from decimal import Decimal
from uuid import UUID

import pytest
from uuid_utils.compat import uuid4, uuid7

from infrastructure.key_vault.keyring import make_key
from infrastructure.ports import Refused
from infrastructure.ports.ai.answers import KeptAnswer, PaidAnswer
from infrastructure.ports.ai.ledger import CACHED, AttemptEnd, JobSpending, NewAttempt
from infrastructure.ports.ai.response import TokenCounts, Usage
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.wiring import key_vault
from tests.integration.ai.recording import Recording, a_recording, ended, new_attempt
from tests.tenancy import make_tenant

pytestmark = pytest.mark.anyio
NOTHING = Decimal(0)
NONSENSE = "\0" + "x" * 100_000 + "\ud800"


async def test_an_attempt_is_there_before_its_call_is_made(recording: Recording) -> None:
    attempt = new_attempt(recording.tenant_id)

    await recording.ledger.begin(attempt)

    assert recording.rows("id, outcome, ended_at, priced, cost_usd, reserved_usd") == [
        (attempt.id, "open", None, False, None, Decimal("0.05"))
    ]


async def test_what_an_attempt_cost_is_added_to_the_day_and_the_month_whatever_their_limits_are(
    recording: Recording,
) -> None:
    limited = recording.another_tenant(ai_usd_a_day=Decimal("0.005"), ai_usd_a_month=Decimal("0.005"))

    await limited.attempt("0.0123456789")
    await limited.attempt("1.5")

    assert await limited.amounts() == (Decimal("1.5123456789"), Decimal("1.5123456789"))


async def test_beginning_and_ending_again_changes_nothing(recording: Recording) -> None:
    attempt = await recording.attempt("0.01")

    await recording.ledger.begin(attempt)
    await recording.ledger.end(attempt, ended(attempt, "7"))
    await asyncio.gather(*(recording.ledger.end(attempt, ended(attempt, "8")) for _ in range(20)))

    assert recording.rows("outcome, cost_usd") == [("succeeded", Decimal("0.01"))]
    assert await recording.amounts() == (Decimal("0.01"), Decimal("0.01"))


async def test_an_answer_under_a_key_that_was_changed_isnt_kept_and_its_attempt_ends_all_the_same(
    recording: Recording,
) -> None:
    async def answered() -> None:
        attempt = new_attempt(recording.tenant_id, job_id=uuid7(), job_attempt=1)
        await recording.ledger.begin(attempt)
        answer = KeptAnswer("A text", "openai", "gpt-6-luna", "gpt-6-luna", "stop", 10, 2)
        await recording.ledger.end(attempt, ended(attempt), PaidAnswer("asked", answer))

    await answered()
    rotations = PostgresRotations(recording.settings.database)
    async with rotations.alone(recording.tenant_id) as session:
        await session.begin(uuid7(), await make_key(key_vault(recording.settings)))
        await answered()

    assert recording.rows("outcome") == [("succeeded",), ("succeeded",)]
    assert recording.execute("SELECT count(*) FROM ai_answers") == [(1,)]


async def test_a_cost_that_nobody_knows_is_no_cost_of_nothing(recording: Recording) -> None:
    await recording.attempt(None, reserved_usd=Decimal("0.4"), end_outcome="cut_short")
    await recording.attempt("0", end_outcome="overload", end_accepted=False)

    assert recording.rows("priced, cost_usd") == [(False, None), (True, Decimal(0))]
    assert await recording.amounts() == (NOTHING, NOTHING)
    spending = await recording.spending()
    assert (spending.spent_today, spending.spent_this_month, spending.reserved) == (
        Decimal("0.4"),
        Decimal("0.4"),
        NOTHING,
    )


async def test_an_answer_from_the_cache_is_written_whole_without_having_begun(recording: Recording) -> None:
    attempt = new_attempt(recording.tenant_id, reserved_usd=None)

    await recording.ledger.end(attempt, ended(attempt, "0", outcome=CACHED, accepted=False, shadow_usd=Decimal("0.2")))

    assert recording.rows("outcome, cost_usd, shadow_usd, ended_at IS NOT NULL") == [
        ("cached", 0, Decimal("0.2"), True)
    ]


async def test_what_is_under_way_is_reserved_until_it_ends(recording: Recording) -> None:
    limited = recording.another_tenant(ai_usd_a_day=Decimal(5))
    attempt = new_attempt(limited.tenant_id, reserved_usd=Decimal("0.25"))

    await limited.ledger.begin(attempt)
    before = await limited.spending()
    await limited.ledger.end(attempt, ended(attempt, "0.1"))
    after = await limited.spending()

    assert (before.spent_today, before.reserved) == (NOTHING, Decimal("0.25"))
    assert (before.day_limit, before.month_limit) == (Decimal(5), None)
    assert (after.spent_today, after.spent_this_month, after.reserved) == (Decimal("0.1"), Decimal("0.1"), NOTHING)


async def test_a_thousand_callers_of_several_tenants_share_a_few_statements(recording: Recording) -> None:
    tenants = [recording.tenant_id, *(make_tenant(recording.settings.database) for _ in range(3))]
    attempts = [new_attempt(tenants[number % 4]) for number in range(1_000)]

    async def call(number: int, attempt: NewAttempt) -> None:
        await recording.ledger.begin(attempt)
        await recording.ledger.end(attempt, ended(attempt, f"0.{number + 1:010}"))

    await asyncio.gather(*(call(number, attempt) for number, attempt in enumerate(attempts)))

    expected: dict[UUID, Decimal] = defaultdict(Decimal)
    for number, attempt in enumerate(attempts):
        expected[attempt.tenant_id] += Decimal(f"0.{number + 1:010}")
    for tenant in tenants:
        assert await recording.amounts(tenant) == (expected[tenant], expected[tenant])
    [(statements,)] = recording.execute("SELECT count(DISTINCT xmin::text) FROM ai_service_requests")
    assert statements < 100


async def test_several_workers_that_end_the_same_tenants_attempts_lose_no_cent(recording: Recording) -> None:
    async with a_recording(recording.settings, recording.tenant_id) as other:
        await asyncio.gather(*(one.attempt("0.003") for one in (recording, other) for _ in range(200)))

    assert await recording.amounts() == (Decimal("1.2"), Decimal("1.2"))


async def test_a_jobs_attempts_come_back_as_they_were_written(recording: Recording) -> None:
    job_id = uuid7()
    first = await recording.attempt(
        "0.25",
        job_id=job_id,
        job_attempt=1,
        section=3,
        prompt="letter",
        prompt_version=2,
        end_usage=Usage({"input": 5, "of": {"which": [1]}}, TokenCounts(5, 6, 3, 2)),
        end_served_model="gpt-5.5-mini-2026-10-01",
        end_first_token_ms=12.5,
        end_total_ms=99.0,
    )
    second = new_attempt(recording.tenant_id, job_id=job_id, job_attempt=1, reserved_usd=Decimal("0.5"))
    await recording.ledger.begin(second)

    (begun, end), (under_way, no_end) = await recording.ledger.attempts_of_job(recording.tenant_id, job_id)
    spending = await recording.ledger.spent_by_job(recording.tenant_id, job_id)

    assert (begun, under_way, no_end) == (first, second, None)
    assert end is not None
    assert end.usage == Usage({"input": 5, "of": {"which": [1]}}, TokenCounts(5, 6, 3, 2))
    assert (end.cost_usd, end.served_model, end.first_token_ms) == (Decimal("0.25"), "gpt-5.5-mini-2026-10-01", 12.5)
    assert spending == JobSpending(Decimal("0.75"), 1, known_dollars=Decimal("0.25"), calls=2, cached=0)


async def test_another_tenant_sees_nothing_of_a_job(recording: Recording) -> None:
    job_id, stranger = uuid7(), make_tenant(recording.settings.database)
    await recording.attempt(job_id=job_id)

    assert await recording.ledger.attempts_of_job(stranger, job_id) == ()
    assert (await recording.ledger.spent_by_job(stranger, job_id)).dollars == 0


async def test_nonsense_of_a_provider_costs_nobody_their_row(recording: Recording) -> None:
    odd = new_attempt(recording.tenant_id)
    raw = {"text": NONSENSE, "number": float("nan")}
    nonsense = AttemptEnd(
        odd.id, "malformed", True, Usage(raw, None), error_code=NONSENSE, request_id=NONSENSE, status=10**20
    )
    await recording.ledger.begin(odd)

    await asyncio.gather(recording.ledger.end(odd, nonsense), *(recording.attempt() for _ in range(10)))

    outcomes = [outcome for (outcome,) in recording.rows("outcome")]
    assert sorted(outcomes) == ["malformed", *["succeeded"] * 10]


async def test_what_cant_be_stored_fails_alone(recording: Recording) -> None:
    dear = new_attempt(recording.tenant_id, reserved_usd=Decimal("1e20"))

    answers = await asyncio.gather(
        *(recording.ledger.begin(one) for one in (new_attempt(recording.tenant_id), dear)), return_exceptions=True
    )

    assert [type(answer).__name__ for answer in answers] == ["NoneType", "Unstorable"]
    assert len(recording.rows("id")) == 1


async def test_nothing_is_begun_or_written_for_a_tenant_that_is_being_erased(recording: Recording) -> None:
    begun = new_attempt(recording.tenant_id)
    await recording.ledger.begin(begun)
    recording.execute("DELETE FROM ai_service_requests WHERE tenant_id = %s", recording.tenant_id)
    recording.execute("UPDATE tenants SET state = 'erasing' WHERE id = %s", recording.tenant_id)

    with pytest.raises(Refused, match="erased"):
        await recording.ledger.begin(new_attempt(recording.tenant_id))
    await recording.ledger.end(begun, ended(begun))

    assert recording.rows("id") == []


async def test_a_tenant_that_nobody_knows_has_its_rows_too(recording: Recording) -> None:
    unknown = new_attempt(uuid4())

    await recording.ledger.begin(unknown)
    await recording.ledger.end(unknown, ended(unknown))

    assert recording.rows("cost_usd", unknown.tenant_id) == [(Decimal("0.01"),)]
