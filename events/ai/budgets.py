"""Events of what is spent."""

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import field_serializer

from events.envelope import DomainEvent


class BudgetReached(DomainEvent):
    """A tenant, or a job, has spent this part of what it may: once for each of 50, 80 and 100 percent in a period. 100 comes too
    when less is spent, and a call was refused since what is left has no room for it; `spent_usd` says how much. It stands in
    the timeline of the job whose call reached it. It doesn't mean that all is spent, nor, below 100, that a call was refused."""

    type: ClassVar[str] = "ai.budget_reached"

    scope: Literal["day", "month", "job"]
    percent: Literal[50, 80, 100]
    period: date | None
    """The first day of the month, or the day; null for a job."""
    spent_usd: Decimal
    limit_usd: Decimal

    @field_serializer("spent_usd", "limit_usd")
    def _plain(self, value: Decimal) -> str:
        return format(value, "f")
