"""Reserves what an attempt needs of limits and budgets before it is made, and puts in its place what it used."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import structlog

from events.ai.budgets import BudgetReached
from infrastructure.concurrency.work_clock import waiting
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.model_registry.upper_bound import upper_bound
from infrastructure.ports import Unavailable
from infrastructure.ports.ai import errors
from infrastructure.ports.ai.errors import Failure, ModelError
from infrastructure.ports.ai.request import estimated_input_tokens
from infrastructure.ports.ai.reservations import (
    BudgetScope,
    Crossed,
    Demand,
    NotYet,
    OverBudget,
    Reservations,
    Reserved,
    Throttled,
)
from infrastructure.ports.ai.response import RateLimits
from monitoring.metrics import models as metrics
from workers.ai.pipeline import problems
from workers.ai.pipeline.call import Attempt, Middleware, ModelCall, ModelReply, Next

log = structlog.get_logger(__name__)

MIN_WAIT_SECONDS: Final = 0.02
MAX_WAIT_SECONDS: Final = 1.0
"""Between two looks at whether there is room: who doesn't look for long loses its place."""
NOT_YET_SECONDS: Final = 5.0
PERIODS: Final = {BudgetScope.DAY: "day", BudgetScope.MONTH: "month", BudgetScope.JOB: "job"}

Outcome = Reserved | Throttled | OverBudget | NotYet
Report = Callable[[UUID, UUID, Crossed], Awaitable[tuple[bool, date | None]]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the step works with."""

    reservations: Reservations
    registry: ModelRegistry
    report: Report
    """Says whether a part of a budget that was reached is still to be reported."""
    today: Callable[[], date]


def reservation(limits: Limits) -> Middleware:
    """Raises errors.Throttled when there is no room for longer than the call may wait, and Refused when the budget has
    none."""
    lines: dict[tuple[UUID, str, str], asyncio.Lock] = {}

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        attempt = call.attempt
        assert attempt is not None, "the route makes it"
        demand = demand_of(call, attempt, limits)
        attempt.reserved_usd = demand.dollars
        place = (call.tenant_id, demand.provider, demand.key_id)
        line = lines.setdefault(place, asyncio.Lock())
        try:
            await _reserve(call, demand, limits, line)
        finally:
            if not line.locked():
                lines.pop(place, None)
        error: BaseException | None = None
        try:
            return await call_next(call)
        except BaseException as raised:
            error = raised
            raise
        finally:
            # Shielded: a cancelled call has used something as well.
            await asyncio.shield(settle(call, attempt, demand, error, limits))

    return ask


def demand_of(call: ModelCall, attempt: Attempt, limits: Limits) -> Demand:
    """What it needs at most. Raises Refused when nobody knows its price."""
    input_tokens, output_tokens = estimated_input_tokens(call.request), call.request.max_output_tokens
    prices = limits.registry.prices(attempt.model)
    most = upper_bound(prices, input_tokens=input_tokens, output_tokens=output_tokens, day=limits.today())
    if most is None:
        raise problems.unpriced(f"{attempt.model} has no price, so nothing can be reserved for it")
    return Demand(
        attempt_id=attempt.id,
        tenant_id=call.tenant_id,
        job_id=call.job_id,
        provider=attempt.provider,
        model=attempt.model,
        key_id=attempt.credential.id,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        dollars=most,
        job_attempt=call.job_attempt,
        job_limit=call.max_cost_usd if call.job_id is not None else None,
        to_come=most * call.to_come,
    )


async def _reserve(call: ModelCall, demand: Demand, limits: Limits, line: asyncio.Lock) -> None:
    """Those who wait ask one after another, so that a thousand of them ask no oftener than one."""
    reservations, wait_seconds = limits.reservations, call.wait_seconds
    try:
        if not line.locked() and await has_room(await reservations.reserve(demand), call, demand, limits):
            return
        with waiting():
            async with asyncio.timeout(wait_seconds), line:
                await _wait_for_room(call, demand, limits, time.monotonic() + wait_seconds)
    except TimeoutError:
        await _release(demand, reservations)
        raise _no_room(demand, "the key's limits have no room: others wait as well", MAX_WAIT_SECONDS) from None
    except asyncio.CancelledError:
        await asyncio.shield(_release(demand, reservations))
        raise


async def _wait_for_room(call: ModelCall, demand: Demand, limits: Limits, give_up_at: float) -> None:
    while True:
        found = await limits.reservations.reserve(demand)
        if await has_room(found, call, demand, limits):
            return
        missing, wait_seconds = _what_is_missing(found)
        pause_seconds = min(max(wait_seconds, MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)
        if time.monotonic() + pause_seconds > give_up_at:
            raise _no_room(demand, missing, wait_seconds)
        await asyncio.sleep(pause_seconds)


def _what_is_missing(found: Outcome) -> tuple[str, float]:
    if isinstance(found, Throttled):
        return f"the key's limits have no room: it is short of {found.dimension.replace('_', ' ')}", found.wait_seconds
    return "calls under way have reserved what the budget has left", MAX_WAIT_SECONDS


async def _release(demand: Demand, reservations: Reservations) -> None:
    # It may have been reserved without our knowing.
    with suppress(Unavailable):
        await reservations.release(demand)


def _no_room(demand: Demand, why: str, seconds: float) -> errors.Throttled:
    failure = Failure(demand.provider, demand.model, retry_after_seconds=max(seconds, MIN_WAIT_SECONDS), unsent=True)
    return errors.Throttled(f"{demand.provider}, model {demand.model}: {why}", failure)


async def has_room(found: Outcome, call: ModelCall, demand: Demand, limits: Limits) -> bool:
    """Raises Refused when it is the budget that has none, and has that reported; errors.Throttled when the job hasn't begun
    and those that have come first: it gives its place to them instead of waiting in their way."""
    match found:
        case Reserved():
            return True
        case Throttled(dimension):
            metrics.throttled(demand.provider, dimension)
            return False
        case NotYet():
            why = "what the budget has left is kept for jobs that have begun"
            raise _no_room(demand, why, NOT_YET_SECONDS)
        case OverBudget(_, limit, spent, _) if spent + demand.dollars <= limit:
            # Others have reserved the most that they may cost; what they leave of it is there in a moment.
            return False
        case OverBudget(scope, limit, spent, _):
            # Less than all of it may be spent: it has no room for what is asked for, which comes to the same.
            with suppress(Unavailable):
                await _report(call, Crossed(scope, 100, spent, limit), limits.report)
            raise problems.budget_used_up(
                f"{spent:f} of the {limit:f} dollars that {_WHO_MAY[scope]} are spent, calls whose cost nobody knows with what "
                f"was reserved for them; this call may cost {demand.dollars:f}. Raise the limit, or name a cheaper model"
            )


_WHO_MAY: Final = {
    BudgetScope.DAY: "the tenant may spend today",
    BudgetScope.MONTH: "the tenant may spend this month",
    BudgetScope.JOB: "the job may spend",
}


async def settle(
    call: ModelCall, attempt: Attempt, demand: Demand, error: BaseException | None, limits: Limits
) -> None:
    reservations = limits.reservations
    # What can't be settled now runs out by itself, and then the ledger says what it cost. A call doesn't fail of it.
    with suppress(Unavailable):
        if not attempt.sent:
            await reservations.release(demand)
            return
        await _observe(attempt, demand, error, reservations)
        end = attempt.end
        counts = None if end is None else end.usage.counts
        cost = None if end is None else end.cost_usd
        free = cost is not None and not cost and counts is None
        crossed = await reservations.settle(
            demand,
            input_tokens=counts.input_tokens if counts else 0 if free else demand.input_tokens,
            output_tokens=counts.output_tokens if counts else 0 if free else demand.output_tokens,
            dollars=demand.dollars if cost is None else cost,
        )
        for one in crossed:
            await _report(call, one, limits.report)


async def _observe(attempt: Attempt, demand: Demand, error: BaseException | None, reservations: Reservations) -> None:
    said, throttled_seconds = _limits_said(attempt, error)
    await reservations.observe(demand.provider, demand.key_id, said, throttled_for_seconds=throttled_seconds)


def _limits_said(attempt: Attempt, error: BaseException | None) -> tuple[RateLimits, float | None]:
    if isinstance(error, ModelError):
        throttled = isinstance(error, errors.Throttled)
        return error.failure.rate_limits, (error.failure.retry_after_seconds or 0.0) if throttled else None
    return (RateLimits(), None) if attempt.response is None else (attempt.response.rate_limits, None)


async def _report(call: ModelCall, crossed: Crossed, report: Report) -> None:
    if call.record is None or call.job_id is None:
        return
    is_new, period = await report(call.tenant_id, call.job_id, crossed)
    if not is_new:
        return
    metrics.budget_reached(crossed.scope.value, crossed.percent)
    log.warning("ai.budget_reached", scope=crossed.scope.value, percent=crossed.percent)
    event = BudgetReached(
        scope=PERIODS[crossed.scope],
        percent=crossed.percent,
        period=period,
        spent_usd=crossed.spent,
        limit_usd=crossed.limit,
    )
    await call.record(event)
