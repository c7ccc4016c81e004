"""Whatever happens to attempts, in whichever order, what a tenant used is the sum of its rows."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infrastructure.ports.ai.ledger import NewAttempt
from infrastructure.postgres.ai.lost import end_lost
from infrastructure.settings import Settings
from tests.integration.ai.recording import Recording, a_recording, ended, new_attempt
from tests.tenancy import make_tenant

Step = tuple[Literal["begin", "end", "free", "lose"], int, Decimal | None]
NOTHING = Decimal(0)
COSTS = st.decimals(min_value=0, max_value=10, places=10, allow_nan=False, allow_infinity=False)
STEPS: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["begin", "end", "free", "lose"]), st.integers(0, 3), st.one_of(st.none(), COSTS)
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_what_a_tenant_used_is_the_sum_of_its_rows(settings: Settings, steps: Sequence[Step]) -> None:
    asyncio.run(_follow(settings, steps))


async def _follow(settings: Settings, steps: Sequence[Step]) -> None:
    async with a_recording(settings, make_tenant(settings.database)) as recording:
        attempts = [new_attempt(recording.tenant_id) for _ in range(4)]
        known: dict[int, Decimal | None] = {}
        for what, which, cost in steps:
            await _take(recording, what, attempts[which], cost)
            if what in ("end", "free"):  # The first counts, also of one that seemed lost before.
                known.setdefault(which, cost)

        assert await recording.amounts() == await _summed(recording)
        assert (await recording.amounts())[0] == sum((cost or NOTHING for cost in known.values()), NOTHING)
        spending = await recording.spending()
        [(unpriced, under_way)] = recording.execute(
            "SELECT coalesce(sum(reserved_usd) FILTER (WHERE ended_at IS NOT NULL), 0), "
            "coalesce(sum(reserved_usd) FILTER (WHERE ended_at IS NULL), 0) FROM ai_service_requests "
            "WHERE tenant_id = %s AND NOT priced",
            recording.tenant_id,
        )
        assert spending.spent_today == spending.spent_this_month == (await recording.amounts())[0] + unpriced
        assert spending.reserved == under_way


async def _take(recording: Recording, what: str, attempt: NewAttempt, cost: Decimal | None) -> None:
    match what:
        case "begin":
            await recording.ledger.begin(attempt)
        case "end":
            await recording.ledger.end(attempt, ended(attempt, None if cost is None else str(cost)))
        case "free":
            both = [ended(attempt, None if cost is None else str(cost), outcome="cached") for _ in range(2)]
            await asyncio.gather(*(recording.ledger.end(attempt, one) for one in both))
        case _:
            recording.execute(
                "UPDATE ai_service_requests SET created_at = now() - interval '2 hours' WHERE tenant_id = %s",
                recording.tenant_id,
            )
            await recording.as_system(end_lost)


async def _summed(recording: Recording) -> tuple[Decimal, Decimal]:
    [(dollars,)] = recording.execute(
        "SELECT coalesce(sum(cost_usd), 0) FROM ai_service_requests WHERE tenant_id = %s", recording.tenant_id
    )
    return dollars, dollars
