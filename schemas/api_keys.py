"""API keys and what they may do."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.model import Model


class Scope(StrEnum):
    """A permission of a key or token."""

    JOBS_READ = "jobs:read"
    JOBS_READ_CONTENT = "jobs:read_content"
    """Reading what jobs were given: their commands, which may hold whole documents."""
    JOBS_WRITE = "jobs:write"
    DOCUMENTS_READ = "documents:read"
    """Reading documents: what is said about them, their originals, texts and facts."""
    DOCUMENTS_WRITE = "documents:write"
    SEARCH_READ = "search:read"
    SEARCH_WRITE = "search:write"
    """Changing what searches find: synonyms, saved searches, and what is in the index."""
    AI_READ = "ai:read"
    """Reading what models cost, how their providers are, and prompts."""
    AI_WRITE = "ai:write"
    """Changing prompts and the tenant's own keys of providers."""
    KEYS_WRITE = "keys:write"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_CONSUME = "events:consume"
    ADMIN = "admin"
    """Allows everything in its tenant, including managing API keys."""
    TENANTS_ADMIN = "tenants:admin"
    """Allows making and changing tenants. Only keys of the operator's tenant can have it; `admin` doesn't include it."""


class NewApiKey(Model):
    name: Annotated[str, Field(min_length=1, max_length=100, examples=["billing service"])]
    """For people: what uses the key."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(Scope))]


class ApiKey(Model):
    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


class ApiKeyCreated(ApiKey):
    key: str
    """The key itself. It is stored as a hash only, so this is the one time it is shown."""


class ApiKeys(Model):
    keys: tuple[ApiKey, ...]
