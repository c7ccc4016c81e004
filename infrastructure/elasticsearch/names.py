"""What indices and aliases are called, so that no tenant's name can match another's.

`bucatini-k7c4…-documents-g1-2026.03-000001`: the tenant is a hash of fixed length in an alphabet without hyphens, and so
no name begins with another tenant's. Searches name indices one by one; a pattern never stands for a tenant.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from infrastructure.settings import SettingsInvalid

SLUG_CHARACTERS = 20
"""A hundred bits."""
KIND = "documents"
_APP = r"[a-z][a-z0-9_]{0,39}"
_SLUG = rf"[a-z2-7]{{{SLUG_CHARACTERS}}}"
_INDEX = re.compile(
    rf"(?P<app>{_APP})-(?P<slug>{_SLUG})-{KIND}-g(?P<generation>[1-9]\d{{0,8}})-"
    r"(?P<year>\d{4})\.(?P<month>0[1-9]|1[0-2])-(?P<number>\d{6})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class IndexName:
    """One physical index."""

    app: str
    slug: str
    generation: int
    """Counts the rebuilds: a new one takes over from the one before in one step."""
    year: int
    month: int
    number: int
    """Counts the indices of a month from 1."""

    def __str__(self) -> str:
        return f"{self.app}-{self.slug}-{KIND}-g{self.generation}-{self.year:04}.{self.month:02}-{self.number:06}"

    def belongs_to(self, app: str, tenant_id: UUID) -> bool:
        return self.app == app and self.slug == tenant_slug(tenant_id)


def tenant_slug(tenant_id: UUID) -> str:
    digest = hashlib.sha256(tenant_id.bytes).digest()
    return base64.b32encode(digest).decode().lower()[:SLUG_CHARACTERS]


def index_name(app: str, tenant_id: UUID, generation: int, month: date, number: int) -> IndexName:
    """ValueError for what would make a name that can't be parsed back."""
    name = IndexName(app, tenant_slug(tenant_id), generation, month.year, month.month, number)
    if parse(str(name)) != name:
        raise ValueError(f"no index can be called {name}")
    return name


def parse(name: str) -> IndexName | None:
    """What the name says; None when it isn't one of ours."""
    found = _INDEX.fullmatch(name)
    if found is None:
        return None
    numbers = (int(found[part]) for part in ("generation", "year", "month", "number"))
    return IndexName(found["app"], found["slug"], *numbers)


def generation_of(name: str) -> int | None:
    parsed = parse(name)
    return None if parsed is None else parsed.generation


def read_alias(app: str, tenant_id: UUID) -> str:
    """All indices of the tenant's visible generation."""
    return f"{app}-{tenant_slug(tenant_id)}-{KIND}-read"


def allocation_alias(app: str, tenant_id: UUID) -> str:
    """The index that takes documents which have none yet."""
    return f"{app}-{tenant_slug(tenant_id)}-{KIND}-alloc"


def all_indices(app: str) -> str:
    """The pattern of all tenants' indices: for templates and for operators' rights, never for a search."""
    return f"{app}-*-{KIND}-g*"


def checked_app(app: str) -> str:
    """The first part of all names. Without hyphens, or `bucatini`'s pattern would match what is `bucatini-eu`'s."""
    if not re.fullmatch(_APP, app):
        raise SettingsInvalid(
            "ELASTICSEARCH_APP can't be used: it has up to 40 lower-case letters, digits and underscores, a letter first"
        )
    return app
