"""Lists a tenant's documents, the newest first, by index and with bounded work, whatever the filters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_

from infrastructure.postgres.documents.columns import (
    DOCUMENT,
    LANGUAGE,
    NEWEST_STATE,
    document_of,
    documents_with_versions,
)
from infrastructure.postgres.tables.documents import documents
from infrastructure.postgres.tenants.sessions import TenantSession
from schemas.documents import Document, VersionState

MAX_EXAMINED: Final = 20_000
"""Documents that one page looks at. Few may match: then the page ends early, and its cursor goes on from there."""


@dataclass(frozen=True, slots=True)
class DocumentFilters:
    """Which documents to list; None leaves that open."""

    document_type: str | None = None
    industry: str | None = None
    language: str | None = None
    """As shown: the one that its author says, or that was detected."""
    tags: tuple[str, ...] = ()
    """It has all of them."""
    state: VersionState | None = None
    """Of the newest version."""
    created_from: datetime | None = None
    created_before: datetime | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    deleted: bool = False
    """Whether deleted ones are listed too."""


@dataclass(frozen=True, slots=True)
class Position:
    """A document's place in the list; the next page begins after it."""

    created_at: datetime
    document_id: str


@dataclass(frozen=True, slots=True)
class Page:
    documents: tuple[Document, ...]
    next: Position | None
    """None: the list ends here. Otherwise there may be more, also after a page that is not full."""


async def page(
    session: TenantSession, tenant_id: UUID, filters: DocumentFilters, *, after: Position | None, limit: int
) -> Page:
    """Up to `limit` documents after that place."""
    last = await _last_examined(session, tenant_id, filters, after)
    matching = select(*DOCUMENT).select_from(documents_with_versions()).where(*_wanted(filters))
    rows = (
        (await session.execute(_between(matching, tenant_id, filters, after, last).limit(limit + 1))).mappings().all()
    )
    found = tuple([document_of(row) for row in rows[:limit]])
    if len(rows) > limit:
        return Page(found, Position(found[-1].created_at, found[-1].id))
    return Page(found, last)


async def _last_examined(
    session: TenantSession, tenant_id: UUID, filters: DocumentFilters, after: Position | None
) -> Position | None:
    """Where this page must end; None if there are no more documents than it may look at."""
    places = select(documents.c.created_at, documents.c.document_id)
    last = _between(places, tenant_id, filters, after, None).offset(MAX_EXAMINED - 1).limit(1)
    row = (await session.execute(last)).first()
    return None if row is None else Position(*row)


def _between(
    statement: Select[Any],
    tenant_id: UUID,
    filters: DocumentFilters,
    after: Position | None,
    last: Position | None,
) -> Select[Any]:
    """In the order of the index `documents_newest`, and only the part of it that the times leave."""
    place = tuple_(documents.c.created_at, documents.c.document_id)
    bounds: list[ColumnElement[bool]] = [documents.c.tenant_id == tenant_id]
    if after is not None:
        bounds.append(place < tuple_(after.created_at, after.document_id))
    if last is not None:
        bounds.append(place >= tuple_(last.created_at, last.document_id))
    if filters.created_from is not None:
        bounds.append(documents.c.created_at >= filters.created_from)
    if filters.created_before is not None:
        bounds.append(documents.c.created_at < filters.created_before)
    return statement.where(*bounds).order_by(documents.c.created_at.desc(), documents.c.document_id.desc())


def _wanted(filters: DocumentFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [] if filters.deleted else [documents.c.deleted_at.is_(None)]
    equal: tuple[tuple[ColumnElement[Any], Any], ...] = (
        (documents.c.document_type, filters.document_type),
        (documents.c.industry, filters.industry),
        (LANGUAGE, filters.language),
        (NEWEST_STATE, filters.state),
    )
    conditions += [column == value for column, value in equal if value is not None]
    if filters.tags:
        conditions.append(documents.c.tags.contains(list(filters.tags)))
    if filters.updated_from is not None:
        conditions.append(documents.c.updated_at >= filters.updated_from)
    if filters.updated_before is not None:
        conditions.append(documents.c.updated_at < filters.updated_before)
    return conditions
