"""Tenants: who they are, what they may have, what they use of it, and what is left when one is erased."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from schemas.commands import Command, Jitter, RetryPolicy
from schemas.model import Model


def _is_no_id(name: str) -> str:
    try:
        UUID(name)
    except ValueError:
        return name
    raise ValueError("must not look like an id, since tenants are also named by their ids")


TenantName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["acme"]), AfterValidator(_is_no_id)
]
"""Lower-case letters, digits and hyphens, as in a host's name. It never changes, so that tokens and scripts may use it."""
DisplayName = Annotated[str, Field(max_length=200, examples=["Acme Ltd"])]
Region = Annotated[str, Field(min_length=1, max_length=50, examples=["eu-west"])]
Reason = Annotated[str, Field(max_length=500, examples=["the invoice of May is unpaid"])]
Weight = Annotated[int, Field(ge=1, le=100)]
"""A tenant of weight 2 gets twice the share of one of weight 1 while both wait."""
Count = Annotated[int, Field(ge=0, le=2_000_000_000)]
Bytes = Annotated[int, Field(ge=0, le=1_000_000_000_000_000)]
Dollars = Annotated[Decimal, Field(ge=0, lt=100_000_000, decimal_places=4)]


class TenantState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    """It reads, and starts nothing: its jobs are held, its schedules and webhooks paused."""
    ERASING = "erasing"
    """Its keys are revoked, and a job removes all it has."""
    ERASED = "erased"
    """Nothing of it is left but its id and the proof."""


class Limits(Model):
    """What an operator set for a tenant. What is null has the default of the deployment."""

    requests_per_minute: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None
    jobs_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """The most jobs queued for a worker or running at a time, in all queues together; the others are capped until one ends."""
    weight: Weight | None = None
    """Its share in each queue while others wait too."""
    queued_jobs: Count | None = None
    """The most jobs that may wait, for whatever reason."""
    stored_bytes: Bytes | None = None
    documents: Count | None = None
    schedules: Annotated[int, Field(ge=0, le=100_000)] | None = None
    webhooks: Annotated[int, Field(ge=0, le=1_000)] | None = None
    groups: Annotated[int, Field(ge=0, le=1_000)] | None = None
    streams: Count | None = None
    """Event streams and WebSockets open at a time, in each process of the ingress."""
    ai_usd_a_day: Dollars | None = None
    ai_usd_a_month: Dollars | None = None


DEFAULT_LIMITS: Final = Limits(
    requests_per_minute=600_000,
    weight=1,
    queued_jobs=1_000_000,
    stored_bytes=1_000_000_000_000,
    documents=10_000_000,
    schedules=1_000,
    webhooks=50,
    groups=100,
    streams=10_000,
)
"""Null here means no limit."""


def effective(limits: Limits, defaults: Limits = DEFAULT_LIMITS) -> Limits:
    """The limits that apply: those that were set, and the defaults of the others."""
    return defaults.model_copy(update=limits.model_dump(exclude_none=True))


class NewTenant(Model):
    name: TenantName
    display_name: DisplayName = ""
    region: Region | None = None
    """A tag, for people and for routing outside."""
    limits: Limits = Limits()


class TenantChange(Model):
    """Only the given fields change; of the limits too, where null sets the default again."""

    display_name: DisplayName | None = None
    region: Region | None = None
    state: TenantState | None = None
    """`suspended` or `active`."""
    because: Reason = ""
    """Why it is suspended: whoever is refused is told."""
    limits: Limits | None = None


class TenantErasure(Model):
    """The erasure of one tenant: how far it has got, and its proof once nothing is left."""

    tenant_id: UUID
    job_id: UUID
    """The operator's job that erases."""
    requested_by: str
    requested_at: datetime
    erased: dict[str, int]
    """How many rows of each table, objects and indexes have been removed so far."""
    proof: dict[str, Any] | None = None


class Tenant(Model):
    id: UUID
    name: str
    display_name: str
    region: str | None = None
    state: TenantState
    state_because: str
    state_since: datetime
    is_operator: bool
    """Whether its keys may have the scope `tenants:admin`. One tenant is the operator's: it can't be suspended or erased."""
    created_at: datetime
    limits: Limits
    erasure: TenantErasure | None = None


class TenantCreated(Tenant):
    key: str
    """The tenant's first admin key. It is stored as a hash only, so this is the one time it is shown."""


class TenantPage(Model):
    tenants: tuple[Tenant, ...]
    next_cursor: str | None = None


class QuotaUsage(Model):
    """What of one quota is used, and how much there may be."""

    quota: str
    """The limit's name."""
    used: Decimal
    limit: Decimal | None = None
    """Null: no limit."""


class TenantUsage(Model):
    """A tenant's quotas. Requests and streams are those that the answering process knows of."""

    tenant_id: UUID
    quotas: tuple[QuotaUsage, ...]
    jobs_by_state: dict[str, int]
    """The jobs that haven't ended, by state; a count of 100,000 means that many or more."""


class EraseTenant(Command):
    """Removes all that a tenant has, and proves it. Submitted by `DELETE /api/tenants/{id}` only."""

    kind: ClassVar[str] = "tenants.erase"
    queue: ClassVar[str] = "keys"
    internal: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 20
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=2.0, jitter=Jitter.EQUAL)
    time_limit_seconds: ClassVar[float] = 3_600.0

    erased_tenant_id: UUID
