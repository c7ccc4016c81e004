"""The problems of tenants: a quota that is used up, and a tenant's state."""

from decimal import Decimal
from typing import Final

from api.http.problems import BUSY_SECONDS, Refusal
from schemas.problems import Problem

PASSING_QUOTAS: Final = {
    "queued_jobs": "Wait until some have run",
    "streams": "Close one",
    "ai_usd_a_day": "Wait for the next day",
    "ai_usd_a_month": "Wait for the next month",
}
"""What frees a place of these quotas without anything being removed."""


def quota_exceeded(quota: str, used: Decimal | float, limit: Decimal | float, *, adjustable: bool) -> Refusal:
    """409 for what stands until something is removed, 429 for what passes by itself."""
    passes = quota in PASSING_QUOTAS
    ask = f"or have an operator raise the limit {quota}" if adjustable else "the limit is the same for every tenant"
    detail = (
        f"The tenant has {used:,} of {limit:,}. Nothing was stored. {PASSING_QUOTAS.get(quota, 'Remove some')}, {ask}."
    )
    problem = Problem.of(
        f"too-many-{quota.replace('_', '-')}",
        f"The tenant's quota of {quota.replace('_', ' ')} is used up",
        429 if passes else 409,
        detail,
        retry_after_seconds=BUSY_SECONDS if passes else None,
    )
    return Refusal(problem)


def tenant_suspended(because: str) -> Refusal:
    reason = f" ({because})" if because else ""
    detail = f"An operator suspended it{reason}. What is stored can be read; nothing new is taken until it is resumed."
    return Refusal(Problem.of("tenant-suspended", "The tenant is suspended", 403, detail))


def tenant_exists() -> Refusal:
    detail = "Another tenant has this name, or had it. Choose another."
    return Refusal(Problem.of("name-taken", "The name is taken", 409, detail))


def tenant_state_conflict(state: str) -> Refusal:
    detail = f"It is {state}, which this can't change."
    return Refusal(Problem.of("tenant-state", "The tenant's state doesn't allow it", 409, detail))


def operator_tenant() -> Refusal:
    detail = "It is the operator's own: without it nobody could work the tenants any more."
    return Refusal(Problem.of("operator-tenant", "This tenant can't be suspended or erased", 409, detail))
