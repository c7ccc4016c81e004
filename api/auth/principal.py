"""Who may ask, and what for."""

import math
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from infrastructure.postgres.tenants import api_keys


class Scope(StrEnum):
    """What a key may be used for."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    SEARCH_READ = "search:read"
    KEYS_WRITE = "keys:write"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_CONSUME = "events:consume"
    ADMIN = api_keys.ADMIN
    """Everything, the keys themselves included."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who was let in, by which key, and what for."""

    tenant_id: UUID
    key_id: str
    """Empty when no key stands behind it."""
    scopes: frozenset[str]
    subject: str = ""
    """Whom an issuer vouches for, when no key does."""
    only_job: UUID | None = None
    """Set when nothing but this job may be read."""
    expires_at: float | None = None
    """Seconds since 1970; None when only a revocation ends it."""

    ends_at: float = math.inf
    """The same by `time.monotonic`, which nobody sets: what remained when it was let in."""

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self.ends_at


def end_of(expires_at: float, now: datetime) -> float:
    """By `time.monotonic`. `now` is of the clock that all processes share, and `expires_at` too."""
    return time.monotonic() + expires_at - now.timestamp()


def payer_of(principal: Principal) -> object:
    """What a limit for each key counts by: the key, or whom an issuer vouches for."""
    return principal.key_id or (principal.tenant_id, principal.subject)


def allows(principal: Principal, scope: Scope) -> bool:
    return scope in principal.scopes or Scope.ADMIN in principal.scopes
