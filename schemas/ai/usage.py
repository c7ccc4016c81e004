"""What was used and what it cost, added up; and what a job would cost."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_serializer

from schemas.ai.model_command import Dollars
from schemas.model import Model


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
    unpriced: int
    """Calls that cost something which nobody knows: they aren't in `cost_usd`."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cost_usd: Dollars
    shadow_usd: Dollars
    """What the same would have cost without caches, lanes and the optimiser."""

    @field_serializer("cost_usd", "shadow_usd")
    def _plain(self, value: Dollars) -> str:
        return format(value, "f")


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
    command: Annotated[dict[str, object], Field(max_length=100)]


class CostEstimate(Model):
    """What a job would cost. An estimate, and no promise; `max_usd` is what would be reserved."""

    model: str
    calls: int
    input_tokens: int
    max_output_tokens: int
    likely_usd: Dollars | None
    """By what such jobs of the tenant needed lately, or by half of the output limit; null without a price."""
    p95_usd: Dollars | None
    """By the tenant's last 30 days; null with fewer than 20 such jobs."""
    max_usd: Dollars | None
    lane: str
    left_today_usd: Dollars | None
    """Of the tenant's limit for the day; null without one."""
    left_this_month_usd: Dollars | None
    fits: bool
    """Whether `max_usd` fits into what is left and into the command's own `max_cost_usd`."""


class NewCredential(Model):
    """A tenant's own key of a provider."""

    key: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]


class CredentialState(Model):
    """A stored key, which is never shown."""

    provider: str
    hint: str
    """Its last four characters."""
    updated_at: datetime
    updated_by: str
