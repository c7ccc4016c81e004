"""A tenant's keys: the command that rotates them, and what may be told of them (never their material)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from schemas.commands import Command, Jitter, Queue, RetryPolicy
from schemas.model import Model


class RotateKeys(Command):
    """Gives the tenant a new key, re-encrypts what the old one sealed, and retires the old one.

    Everything stays readable and writable meanwhile. A tenant's rotations run one after another.
    """

    kind: ClassVar[str] = "keys.rotate"
    queue: ClassVar[Queue] = Queue.KEYS
    max_attempts: ClassVar[int] = 10
    # What it waits for is the tenant's other rotation, or a vault: neither is served by asking again at once.
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=5.0, jitter=Jitter.EQUAL)
    time_limit_seconds: ClassVar[float] = 3_600.0


class KeyState(StrEnum):
    ACTIVE = "active"
    """Seals and opens. A tenant has one."""
    DECRYPT_ONLY = "decrypt_only"
    """Opens what it sealed, until that is re-encrypted."""
    RETIRED = "retired"
    """Nothing is left under it; kept for backups older than the rotation."""


class TenantKey(Model):
    version: int
    state: KeyState
    master_key_id: str
    """The vault's key that wraps this one."""
    created_at: datetime
    retired_at: datetime | None = None


class TenantKeys(Model):
    """The newest first."""

    keys: tuple[TenantKey, ...]
