"""Adds up the ledger: what was called, what it cost, and what it would have cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from infrastructure.ports.ai.ledger import CACHED, SHARED, SUCCEEDED
from infrastructure.postgres.ai.attempts import OPEN
from infrastructure.postgres.session import Connection
from schemas.ai.usage import GroupBy, UsageReport, UsageRow

MAX_ROWS: Final = 5_000

_GROUPS: Final[Mapping[GroupBy, Mapping[str, str]]] = {
    GroupBy.DAY: {"day": "(r.created_at AT TIME ZONE 'UTC')::date"},
    GroupBy.MODEL: {"provider": "r.provider", "model": "r.model"},
    GroupBy.PROVIDER: {"provider": "r.provider"},
    GroupBy.PROMPT: {"prompt": "r.prompt", "prompt_version": "r.prompt_version"},
    GroupBy.KIND: {"kind": "r.kind"},
    GroupBy.JOB: {"job_id": "r.job_id"},
    GroupBy.TENANT: {"tenant": "t.name"},
}
_FREE = f"r.outcome IN ('{CACHED}', '{SHARED}')"
_FINE = f"r.outcome IN ('{SUCCEEDED}', '{CACHED}', '{SHARED}', '{OPEN}')"
_SUMS: Final[Mapping[str, str]] = {
    "calls": f"count(*) FILTER (WHERE NOT {_FREE})",
    "cached": f"count(*) FILTER (WHERE {_FREE})",
    "failed": f"count(*) FILTER (WHERE NOT {_FINE})",
    "unpriced": "count(*) FILTER (WHERE NOT r.priced AND r.ended_at IS NOT NULL)",
    "input_tokens": "coalesce(sum(r.input_tokens), 0)::bigint",
    "output_tokens": "coalesce(sum(r.output_tokens), 0)::bigint",
    "cache_read_tokens": "coalesce(sum(r.cache_read_tokens), 0)::bigint",
    "cost_usd": "coalesce(sum(r.cost_usd), 0)",
    "shadow_usd": "coalesce(sum(r.shadow_usd), 0)",
}
# What was saved is known of those calls whose cost and shadow price both are: see docs/performance.md for the query alone.
_COMPARED: Final = (
    "coalesce(sum(r.cost_usd) FILTER (WHERE r.shadow_usd IS NOT NULL), 0), "
    "coalesce(sum(r.shadow_usd) FILTER (WHERE r.priced), 0)"
)


class TooManyGroups(Exception):
    """There are more than MAX_ROWS: ask for a shorter time, or for fewer distinctions."""


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Calls that began from `since` until before `until`."""

    since: datetime
    until: datetime
    by: tuple[GroupBy, ...]
    """Without repetition."""

    @property
    def columns(self) -> dict[str, str]:
        """The fields of a row that it is grouped by, with the expression of each."""
        return {name: what for group in self.by for name, what in _GROUPS[group].items()}


async def usage_of(connection: Connection, tenant_id: UUID, question: UsageQuestion) -> UsageReport:
    """One tenant's usage; TooManyGroups."""
    return await _report(connection, question, tenant_id)


async def usage_of_all(connection: Connection, question: UsageQuestion) -> UsageReport:
    """Every tenant's usage, for the system's role; TooManyGroups."""
    return await _report(connection, question, None)


async def _report(connection: Connection, question: UsageQuestion, tenant_id: UUID | None) -> UsageReport:
    wanted = {"since": question.since, "until": question.until, "tenant_id": tenant_id}
    found = await (await connection.execute(_statement(question, tenant_id), wanted)).fetchall()
    if len(found) > MAX_ROWS:
        raise TooManyGroups(f"there are more than {MAX_ROWS:,} rows")
    names = (*question.columns, *_SUMS)
    rows = tuple(UsageRow(**dict(zip(names, row, strict=False))) for row in found)
    return UsageReport(
        since=question.since,
        until=question.until,
        rows=rows if question.by else (),
        total=_total(rows),
        saved_percent=_saved_percent(found),
    )


def _statement(question: UsageQuestion, tenant_id: UUID | None) -> str:
    columns = question.columns
    numbers = ", ".join(str(number) for number, _ in enumerate(columns, 1))
    grouped = f"GROUP BY {numbers} ORDER BY {numbers}" if columns else ""
    named = ", ".join((*columns.values(), *_SUMS.values()))
    mine = "" if tenant_id is None else "AND r.tenant_id = %(tenant_id)s"
    tenants = "LEFT JOIN tenants t ON t.id = r.tenant_id" if "tenant" in columns else ""
    return f"""
    SELECT {named}, {_COMPARED} FROM ai_service_requests r {tenants}
    WHERE r.created_at >= %(since)s AND r.created_at < %(until)s {mine} {grouped} LIMIT {MAX_ROWS + 1}
    """


def _total(rows: Sequence[UsageRow]) -> UsageRow:
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in _SUMS}
    return UsageRow(**{**sums, "cost_usd": Decimal(sums["cost_usd"]), "shadow_usd": Decimal(sums["shadow_usd"])})


def _saved_percent(found: Sequence[Sequence[Any]]) -> float | None:
    cost, shadow = sum(row[-2] for row in found), sum(row[-1] for row in found)
    return round(float(100 * (1 - cost / shadow)), 1) if shadow else None
