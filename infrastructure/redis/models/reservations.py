"""Limits and budgets in Redis: one script for each reservation, and one for each settlement."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.ports.ai.budgets import Budgets
from infrastructure.ports.ai.reservations import BudgetScope, Crossed, Demand, NotYet, OverBudget, Reserved, Throttled
from infrastructure.ports.ai.response import UNKNOWN_LIMITS, Allowance, RateLimits
from infrastructure.redis import refusals
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.models.health import pairs_of
from infrastructure.redis.models.money import MAX_DOLLARS, dollars_of, limit_units, parts_of, units_of
from infrastructure.redis.script import Script

MAX_LEARNED: Final = 4
"""A tenant's money may be forgotten again while it is read; not so often."""
DIMENSIONS: Final = ("requests", "tokens", "input_tokens", "output_tokens")
SINCE: Final = "bucatini:models:since"


@dataclass(frozen=True, slots=True)
class LimitsReading:
    """A key's limits as they are counted now."""

    limits: RateLimits
    pace: float
    """1, or less after refusals for coming too fast."""


class RedisReservations:
    """See `Reservations`."""

    def __init__(self, redis: Redis, budgets: Budgets) -> None:
        self._connection = RedisConnection(redis)
        self._budgets = budgets
        self._script = Script(__package__, "reservations.lua")
        self._observed = Script(__package__, "observed_limits.lua")
        self._learning: dict[UUID, asyncio.Lock] = {}

    async def reserve(self, demand: Demand) -> Reserved | Throttled | OverBudget | NotYet:
        budget = await self._budgets.of(demand.tenant_id)
        limits = (limit_units(demand.job_limit), limit_units(budget.day), limit_units(budget.month))
        if max(demand.dollars, demand.to_come) > MAX_DOLLARS:
            raise ValueError("no call costs as much")
        job = ("" if demand.job_id is None else str(demand.job_id), units_of(demand.to_come))
        for _ in range(MAX_LEARNED):
            match await self._run("reserve", demand, *limits, *job):
                case [b"unknown", _]:
                    await self._learn(demand)
                case [b"unknown_job"]:
                    await self._learn_job(demand)
                case [b"throttled", dimension, wait_ms]:
                    return Throttled(dimension.decode(), wait_ms / 1_000)
                case [b"over", scope, spent, held]:
                    limit = {"day": budget.day, "month": budget.month, "job": demand.job_limit}[scope.decode()]
                    assert limit is not None
                    return OverBudget(BudgetScope(scope.decode()), limit, dollars_of(spent), dollars_of(held))
                case [b"not_yet"]:
                    return NotYet()
                case [b"reserved"]:
                    return Reserved(demand.attempt_id)
        raise Unavailable("Redis keeps forgetting what was spent: see its maxmemory-policy, which must be noeviction")

    async def settle(
        self, demand: Demand, *, input_tokens: int, output_tokens: int, dollars: Decimal
    ) -> tuple[Crossed, ...]:
        budget = await self._budgets.of(demand.tenant_id)
        limits = {"day": budget.day, "month": budget.month, "job": demand.job_limit}
        parts = [part for limit in limits.values() for part in parts_of(limit)]
        reply = await self._run("settle", demand, *parts, used=(units_of(dollars), input_tokens, output_tokens))
        return tuple(_crossed(reply, limits)) if reply[0] == b"settled" else ()

    async def release(self, demand: Demand) -> None:
        await self._run("release", demand, *([""] * 9), used=("0", 0, 0))

    async def observe(
        self, provider: str, key_id: str, limits: RateLimits, *, throttled_for_seconds: float | None = None
    ) -> None:
        throttled = throttled_for_seconds is not None
        if limits == UNKNOWN_LIMITS and not throttled:
            return
        said = [part for name in DIMENSIONS for part in _said(getattr(limits, name))]
        wait_ms = int(1_000 * throttled_for_seconds) if throttled_for_seconds else ""
        async with _unavailable():
            key = limits_key(provider, key_id)
            await self._observed.run(self._connection, [key], int(throttled), wait_ms, *said)

    async def limits_of(self, provider: str, key_id: str) -> LimitsReading:
        """What is left to the key now, as far as it is known. Unavailable while Redis is away."""
        async with _unavailable():
            found, time = await self._connection.ask(("HGETALL", limits_key(provider, key_id)), ("TIME",))
        return limits_in(pairs_of(found), int(time[0]) + int(time[1]) / 1e6)

    async def begin_counting(self) -> None:
        """Notes that Redis counts from now on, if it hadn't: the sooner, the less a first call waits."""
        async with _unavailable():
            ((seconds, microseconds),) = await self._connection.ask(("TIME",))
            milliseconds = int(seconds) * 1_000 + int(microseconds) // 1_000
            await self._connection.ask(("SET", SINCE, milliseconds, "NX"))

    async def _learn(self, demand: Demand) -> None:
        """Has Redis know what the tenant spent."""
        async with self._learning.setdefault(demand.tenant_id, asyncio.Lock()):
            missing = await self._run("missing", demand)
            if missing[0] == b"known":
                return  # Another call of the tenant has just read it.
            # What others reserved a moment before Redis forgot it is in the ledger by then.
            await asyncio.sleep(missing[1] / 1_000)
            spent = await self._budgets.spent(demand.tenant_id)
            opened = [part for id_, dollars in spent.open for part in (str(id_), units_of(dollars))]
            await self._run("learn", demand, units_of(spent.day), units_of(spent.month), *opened)

    async def _learn_job(self, demand: Demand) -> None:
        assert demand.job_id is not None, "a job's limit has a job"
        spent = await self._budgets.spent_by_job(demand.tenant_id, demand.job_id)
        await self._run("learn_job", demand, units_of(spent))

    async def _run(
        self, what: str, demand: Demand, *arguments: str, used: tuple[str, int, int] | None = None
    ) -> list[Any]:
        amounts = used or (units_of(demand.dollars), demand.input_tokens, demand.output_tokens)
        async with _unavailable():
            given: tuple[str | int, ...] = (what, str(demand.attempt_id), str(demand.tenant_id), *amounts, *arguments)
            reply: list[Any] = await self._script.run(self._connection, _keys(demand), *given)
        return reply


@asynccontextmanager
async def _unavailable() -> AsyncIterator[None]:
    try:
        yield
    except FAULTS as fault:
        raise Unavailable(f"{refusals.reason(fault)}: no model is called without its limits and budgets") from fault


def _keys(demand: Demand) -> list[str]:
    limits, tenant = limits_key(demand.provider, demand.key_id), f"bucatini:models:tenant:{demand.tenant_id}"
    job = f"bucatini:models:job:{demand.job_id}:{demand.job_attempt}"
    return [
        limits,
        f"{limits}:waiting",
        f"{limits}:turns",
        f"{tenant}:money",
        f"{tenant}:held",
        f"{tenant}:due",
        job,
        SINCE,
        f"{tenant}:begun",
        f"{tenant}:begun until",
    ]


def limits_key(provider: str, key_id: str) -> str:
    return f"bucatini:models:limits:{provider}:{key_id}"


def _said(allowance: Allowance | None) -> tuple[str | int, str | int, str | int]:
    if allowance is None:
        return "", "", ""
    reset = allowance.reset_seconds
    parts = (allowance.limit, allowance.remaining, None if reset is None else int(1_000 * reset))
    limit, remaining, reset_ms = ("" if part is None else part for part in parts)
    return limit, remaining, reset_ms


def _crossed(reply: Sequence[Any], limits: dict[str, Decimal | None]) -> list[Crossed]:
    found = zip(limits.items(), reply[1::2], reply[2::2], strict=True)
    return [
        Crossed(BudgetScope(scope), percent, dollars_of(spent), limit)
        for (scope, limit), percent, spent in found
        if percent and limit is not None
    ]


def limits_in(fields: Mapping[bytes, bytes], now: float) -> LimitsReading:
    """What the hash of a key's limits says of this moment."""
    found = {name.decode(): value.decode() for name, value in fields.items()}
    pace, since = float(found.get("pace", 1)), now - float(found.get("at", 0)) / 1_000
    allowances: dict[str, Allowance] = {}
    for name in DIMENSIONS:
        if (written := found.get(f"{name}:limit")) is not None:
            limit = float(written)
            level = min(limit, float(found.get(f"{name}:level", limit)) + limit * pace * max(since, 0.0) / 60)
            reset = 60 * (limit - level) / max(limit * pace, 0.001)
            allowances[name] = Allowance(int(limit), max(int(level), 0), reset)
    return LimitsReading(RateLimits(**allowances), pace)
