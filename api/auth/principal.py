"""The authenticated caller of a request, and its scopes."""

import math
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.api_keys import Scope as Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: its tenant, its key or subject, and its scopes."""

    tenant_id: UUID
    key_id: str
    """Empty for an OIDC token."""
    scopes: frozenset[str]
    subject: str = ""
    """The `sub` claim of an OIDC token."""
    only_job: UUID | None = None
    """Set for a read token: the one job it may read."""
    expires_at: float | None = None
    """Unix seconds; None for a key, which only a revocation ends."""
    ends_at: float = math.inf
    """The same by `time.monotonic`, which isn't affected by changes to the system clock."""

    @property
    def name(self) -> str:
        """For logs, and for what says who changed it."""
        return f"key {self.key_id}" if self.key_id else f"subject {self.subject}"

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self.ends_at


def end_of(expires_at: float, now: datetime) -> float:
    """The expiry by `time.monotonic`. `now` and `expires_at` (Unix seconds) are by the clock that all processes share."""
    return time.monotonic() + expires_at - now.timestamp()


def rate_limit_key(principal: Principal) -> object:
    """What per-key limits count by: the key's id, or the tenant and subject of an OIDC token."""
    return principal.key_id or (principal.tenant_id, principal.subject)


def allows(principal: Principal, scope: Scope) -> bool:
    return scope in principal.scopes or (Scope.ADMIN in principal.scopes and scope is not Scope.TENANTS_ADMIN)
