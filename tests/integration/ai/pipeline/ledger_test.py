"""What calls cost, by our ledger and by the provider's own: the same to the last digit, whatever happened on the way."""

import asyncio
import os
import random
import signal
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.settings import Settings
from tests.integration.ai.pipeline.processes_test import asking, go, said
from tests.model_calls import MODEL, Reader, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio

OTHER = "claude-sonnet-5-5"
FAULTS = ("throttle", "overload", "server_error", "error_in_stream", "clean_cut", "chunked_cut", "malformed", "decline")


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


def rows(settings: Settings) -> list[dict[str, Any]]:
    with psycopg.connect(settings.database, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM ai_service_requests ORDER BY created_at, id").fetchall()


def compare(settings: Settings, simulator: SimulatedProviders, key: SecretStr) -> None:
    """Each attempt that the provider saw has a row, and what both know of its price is the same."""
    theirs = {one["request_id"]: one for one in simulator.ended(key)}
    ours = rows(settings)
    named = {row["request_id"]: row for row in ours if row["request_id"] in theirs}
    unnamed = [row for row in ours if row["request_id"] not in theirs and row["outcome"] not in ("cached", "shared")]

    priced = {name: row for name, row in named.items() if row["priced"]}
    assert {name: row["cost_usd"] for name, row in priced.items()} == {
        name: Decimal(theirs[name]["dollars"]) for name in priced
    }
    # A call whose answer never came has no name: it is unpriced, unless nothing was sent, and nobody counts it twice.
    unknown = [row for row in unnamed if not row["priced"]]
    assert len(theirs) - len(named) <= len(unknown), "each attempt has a row"
    assert all(not row["cost_usd"] for row in unnamed)
    known = sum((row["cost_usd"] for row in ours if row["priced"]), Decimal(0))
    charged = simulator.charged(key)
    unpriced = sum((Decimal(one["dollars"]) for name, one in theirs.items() if name not in priced), Decimal(0))
    assert known + unpriced - charged == 0


async def test_both_ledgers_agree_after_faults_failovers_aborted_streams_and_shared_calls(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    dice = random.Random(19)
    async with opened(settings) as models:
        for number in range(48):
            if number % 2:
                simulator.fault(key, dice.choice(FAULTS), after_tokens=dice.randrange(8))
            listener = Reader() if number % 3 else None
            call = question(tenant_id, f"Question {number // 3}?", models=(MODEL, OTHER), listener=listener)
            asked = [asyncio.ensure_future(models.ask(call)) for _ in range(1 + number % 2)]
            if number % 5 == 0 and listener is not None:
                await asyncio.wait(
                    [*asked, asyncio.ensure_future(listener.began.wait())], return_when="FIRST_COMPLETED"
                )
                asked[0].cancel()
            for outcome in await asyncio.gather(*asked, return_exceptions=True):
                assert not isinstance(outcome, Exception) or isinstance(outcome, Refused | Unavailable | TryLater), (
                    outcome
                )

    assert all(row["ended_at"] for row in rows(settings))
    compare(settings, simulator, key)


def test_each_attempt_has_a_row_though_processes_are_killed_in_their_calls(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    texts = [f"Question {number}?" for number in range(12)]
    with asking(settings, tenant_id, 3, *texts) as (killed, also_killed, spared):
        simulator.fault(key, "slow", seconds=2.0, times=5)
        for one in (killed, also_killed):
            go(one)
            wait_until(lambda: len(simulator.attempts(key)) >= 5, "calls are under way")
            os.kill(one.pid, signal.SIGKILL)
        go(spared)
        assert all("text" in reply for reply in said(spared))

    compare(settings, simulator, key)
    attempts = len(simulator.ended(key))
    made = [row for row in rows(settings) if row["outcome"] not in ("cached", "shared")]
    assert attempts <= len(made), "no call is made that isn't written down first"
    assert all(not row["priced"] for row in made if row["outcome"] == "open")
