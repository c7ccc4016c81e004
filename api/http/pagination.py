"""Cursor pagination for lists, newest first."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from pydantic import Field

from api.endpoint import Call
from infrastructure.postgres.jobs.queries import NEWEST
from schemas.model import Model


class PageQuery(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=100)] | None = None
    """`next_cursor` of the previous page, with the same filters."""


class Listed(Protocol):
    @property
    def id(self) -> UUID: ...


Q = TypeVar("Q", bound=PageQuery)
L = TypeVar("L", bound=Listed)


async def page_of(
    call: Call[Any, Q], scope: str, read: Callable[[UUID, int], Awaitable[Sequence[L]]]
) -> tuple[tuple[L, ...], str | None]:
    """The page, and the cursor of the one after it if there is one.

    `read` returns up to a number of items older than an id. `scope` names the list and its filters: a cursor is valid only
    with the scope it was made for.
    """
    query, tenant_id, cursors = call.query, call.tenant_id, call.ingress.cursors
    before = NEWEST if query.cursor is None else cursors.read(tenant_id, scope, query.cursor)
    found = await read(before, query.limit + 1)
    page = tuple(found[: query.limit])
    return page, cursors.sign(tenant_id, scope, page[-1].id) if len(found) > query.limit else None
