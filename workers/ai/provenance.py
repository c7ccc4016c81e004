"""Where a result is from, by the ledger: it has the attempts of a job's earlier runs too."""

from collections.abc import Iterable
from uuid import UUID

from events.ai.provenance import ModelAttempt, Provenance
from infrastructure.ports.ai.ledger import CACHED, SHARED, SUCCEEDED, AttemptEnd, Ledger, NewAttempt

UNFINISHED = "open"
ANSWERED = frozenset({SUCCEEDED, CACHED, SHARED})


async def with_attempts(known: Provenance, ledger: Ledger, tenant_id: UUID, job_id: UUID) -> Provenance:
    """What is known of the prompt and the models, with all that the job's calls cost so far. Without models, those that
    answered. Call it once the last answer has come. Unavailable when PostgreSQL can't be reached; safe to repeat.

        provenance = await with_attempts(Provenance(prompt=name, prompt_version=version), ledger, run.tenant_id, run.job_id)
    """
    attempts = await ledger.attempts_of_job(tenant_id, job_id)
    spending = await ledger.spent_by_job(tenant_id, job_id)
    return known.model_copy(
        update={
            "models": known.models or _answered(end for _, end in attempts),
            "attempts": tuple(_shown(attempt, end) for attempt, end in attempts),
            "calls": spending.calls,
            "cached": spending.cached,
            "cost_usd": spending.known_dollars,
            "priced": not spending.unpriced,
        }
    )


def _answered(ends: Iterable[AttemptEnd | None]) -> tuple[str, ...]:
    served = [end.served_model for end in ends if end is not None and end.outcome in ANSWERED]
    return tuple(dict.fromkeys(one for one in served if one is not None))


def _shown(attempt: NewAttempt, end: AttemptEnd | None) -> ModelAttempt:
    return ModelAttempt(
        id=attempt.id,
        provider=attempt.provider,
        model=attempt.model,
        purpose=attempt.purpose,
        section=attempt.section,
        outcome=UNFINISHED if end is None else end.outcome,
        cost_usd=None if end is None else end.cost_usd,
    )
