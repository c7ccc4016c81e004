"""What was used and what it cost, added up; and what a job would cost."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field, PlainSerializer

from schemas.model import Model
from schemas.timestamps import Moment


class GroupBy(StrEnum):
    """What usage is added up by."""

    DAY = "day"
    MODEL = "model"
    PROVIDER = "provider"
    PROMPT = "prompt"
    KIND = "kind"
    JOB = "job"
    TENANT = "tenant"
    """For an operator: each tenant. Anybody else sees their own."""


MAX_PERIOD_DAYS: Final = 400


def plain_number(amount: Decimal) -> str:
    """Without an exponent, and without zeros at the end."""
    return format(amount.normalize(), "f")


Money = Annotated[Decimal, Field(ge=0), PlainSerializer(plain_number, return_type=str)]
"""US dollars, to the ledger's last digit."""


def _groups(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    if unknown := sorted({name for name in names if name not in set(GroupBy)}):
        known = ", ".join(GroupBy)
        raise ValueError(f"{len(unknown)} of these can't be told apart: take of {known}, with commas between")
    return ",".join(dict.fromkeys(names))


class UsageFormat(StrEnum):
    JSON = "json"
    CSV = "csv"


class UsagePeriod(Model):
    """Calls that began from `since` until before `until`."""

    since: Moment | None = None
    """RFC 3339; the beginning of the present month (UTC) if not given."""
    until: Moment | None = None
    """Now if not given. At most 400 days after `since`."""
    by: Annotated[str, Field(max_length=100, examples=["day,model"]), AfterValidator(_groups)] = GroupBy.DAY.value
    """What rows are told apart by, with commas between: day (UTC), model, provider, prompt, kind, job, tenant."""

    @property
    def groups(self) -> tuple[GroupBy, ...]:
        return tuple(GroupBy(name) for name in self.by.split(","))


class UsageQuery(UsagePeriod):
    format: UsageFormat | None = None
    """`csv` for a table of comma-separated values, as the header `Accept: text/csv` asks for as well."""


class UsageRow(Model):
    """Usage of one group; the fields that it wasn't grouped by are null."""

    day: date | None = None
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    prompt_version: int | None = None
    kind: str | None = None
    job_id: UUID | None = None
    tenant: str | None = None
    calls: int
    """Attempts that went to a provider, failed ones included."""
    cached: int
    """Answers that needed no call."""
    failed: int
    """Those that brought no answer: refused, given up, or lost with their process."""
    unpriced: int
    """Calls that cost something which nobody knows: they aren't in `cost_usd`."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cost_usd: Money
    shadow_usd: Money
    """What the same would have cost without caches, lanes and the optimiser."""


class UsageReport(Model):
    since: datetime
    until: datetime
    rows: tuple[UsageRow, ...]
    total: UsageRow
    saved_percent: float | None
    """Of the shadow price; null when there is none."""


class EstimateRequest(Model):
    """A command to estimate: as it would be submitted."""

    kind: Annotated[str, Field(max_length=100, examples=["ai.generate_document"])]
    command: Annotated[dict[str, Any], Field(max_length=100)]
    deadline: Moment | None = None
    """The job's, if it would have one: what has time goes a cheaper way."""


class CostEstimate(Model):
    """What a job would cost. An estimate, and no promise."""

    model: str
    """The first that would be asked."""
    calls: int
    input_tokens: int
    max_output_tokens: int
    likely_usd: Money | None
    """By what such jobs of the tenant needed lately, or by half of the output limit; null without a price."""
    p95_usd: Money | None
    """By the tenant's last 30 days; null with fewer than 20 such jobs."""
    max_usd: Money | None
    """If the dearest candidate did it, and each call were made as often as it may be; null without a price."""
    lane: str
    left_today_usd: Money | None
    """Of the tenant's limit for the day; null without one."""
    left_this_month_usd: Money | None
    fits: bool
    """Whether `max_usd` fits into what is left and into the command's own `max_cost_usd`."""


class NewCredential(Model):
    """A tenant's own key of a provider."""

    key: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    """As the provider shows it, without spaces around it."""


class CredentialStates(Model):
    credentials: "tuple[CredentialState, ...]"


class CredentialState(Model):
    """A stored key, which is never shown."""

    provider: str
    hint: str
    """Its last four characters; empty for a short key."""
    updated_at: datetime
    updated_by: str
