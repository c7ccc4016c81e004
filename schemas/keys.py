"""A tenant's data keys: the command that rotates them, and their metadata (never the key material)."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from schemas.commands import Command, Jitter, RetryPolicy
from schemas.model import Model


class RotateKeys(Command):
    """Gives the tenant a new key, re-encrypts what the old one sealed, and retires the old one.

    Everything stays readable and writable meanwhile. A tenant's rotations run one after another.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    kind: ClassVar[str] = "keys.rotate"
    queue: ClassVar[str] = "keys"
    scope: ClassVar[str] = "keys:write"
    max_attempts: ClassVar[int] = 10
    # It fails on another rotation of the tenant or an unavailable vault: an immediate retry helps with neither.
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=5.0, jitter=Jitter.EQUAL)
    time_limit_seconds: ClassVar[float] = 3_600.0


class KeyState(StrEnum):
    ACTIVE = "active"
    """Encrypts and decrypts. A tenant has exactly one."""
    DECRYPT_ONLY = "decrypt_only"
    """Only decrypts, until everything under it is re-encrypted."""
    RETIRED = "retired"
    """Nothing is encrypted under it any more; kept for backups older than the rotation."""


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
