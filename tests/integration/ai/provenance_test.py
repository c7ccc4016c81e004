"""A result says which models were called for it and what that cost, over all runs of its job."""

from decimal import Decimal

import pytest
from uuid_utils.compat import uuid7

from events.ai.provenance import Provenance
from infrastructure.ports.ai.ledger import CACHED
from tests.integration.ai.recording import Recording, new_attempt
from workers.ai.provenance import with_attempts

pytestmark = pytest.mark.anyio


async def test_a_result_has_the_attempts_of_every_run_and_what_they_cost(recording: Recording) -> None:
    job_id = uuid7()
    await recording.attempt("0", job_id=job_id, job_attempt=1, purpose="plan", end_outcome="overload")
    await recording.attempt("0.25", job_id=job_id, job_attempt=1, purpose="plan", end_served_model="a-1")
    await recording.attempt("0.5", job_id=job_id, job_attempt=2, section=0, end_served_model="b-1")
    await recording.attempt("0", job_id=job_id, job_attempt=2, section=1, end_outcome=CACHED, end_served_model="a-1")

    result = await with_attempts(Provenance(prompt="letter"), recording.ledger, recording.tenant_id, job_id)

    assert result.prompt == "letter"
    assert result.models == ("a-1", "b-1")
    assert [(one.purpose, one.section, one.outcome) for one in result.attempts] == [
        ("plan", None, "overload"),
        ("plan", None, "succeeded"),
        ("section", 0, "succeeded"),
        ("section", 1, "cached"),
    ]
    assert (result.calls, result.cached, result.cost_usd, result.priced) == (3, 1, Decimal("0.75"), True)


async def test_a_cost_that_isnt_known_makes_the_sum_too_little_and_is_said(recording: Recording) -> None:
    job_id = uuid7()
    await recording.attempt("0.25", job_id=job_id)
    await recording.attempt(None, job_id=job_id, end_outcome="cut_short")
    await recording.ledger.begin(new_attempt(recording.tenant_id, job_id=job_id))

    result = await with_attempts(Provenance(models=("x",)), recording.ledger, recording.tenant_id, job_id)

    assert (result.cost_usd, result.priced, result.calls, result.models) == (Decimal("0.25"), False, 3, ("x",))
    assert [(one.outcome, one.cost_usd) for one in result.attempts[1:]] == [("cut_short", None), ("open", None)]
