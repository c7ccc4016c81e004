"""The versions of the tables that this release works with, checked at a process's start and on each new connection.

A deploy migrates the tables first and restarts the processes then. So a process needs the tables it was written for, or
later ones that declare that they still serve it. See docs/decisions/0012.
"""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg.errors import UndefinedTable

from infrastructure.postgres.address import Unfit

WRITTEN_FOR: Final = "0016"
"""The newest migration of this release. All are numbers of four digits, so they compare as text."""

_VERSION: LiteralString = "SELECT version_num FROM public.alembic_version"
_VERSION_AND_SERVES: LiteralString = (
    "SELECT version_num, serves FROM public.alembic_version, public.schema_compatibility"
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The version of a database's tables."""

    version: str | None
    """None when our tables don't exist."""
    serves: str | None = None
    """The oldest version whose processes may work with them. None: only processes of their own version."""


def why_unfit(tables: Tables) -> str:
    """Why this release can't work with these tables, and what to do; empty if it can."""
    if tables.version is None:
        return "the database has no tables yet: run `bucatini migrate`"
    if tables.version < WRITTEN_FOR:
        return (
            f"the tables are of version {tables.version}, and this release needs {WRITTEN_FOR}: run `bucatini migrate`"
        )
    if tables.version > WRITTEN_FOR and not serve_us(tables):
        return (
            f"the tables are of version {tables.version}, which doesn't serve this release, written for {WRITTEN_FOR}: "
            f"start a newer one, or go back by the newer one's `bucatini migrate --to {WRITTEN_FOR}`"
        )
    return ""


def serve_us(tables: Tables) -> bool:
    """Whether newer tables declare that they serve this release."""
    return tables.serves is not None and tables.serves <= WRITTEN_FOR


async def read(connection: psycopg.AsyncConnection[Any]) -> Tables:
    """Reads the tables' version. The connection must be in autocommit, in the role of the tables' owner."""
    for statement in (_VERSION_AND_SERVES, _VERSION):
        try:
            row = await (await connection.execute(statement, prepare=False)).fetchone()
        except UndefinedTable:
            continue
        return Tables(None) if row is None else Tables(*row)
    return Tables(None)


async def refuse_tables(connection: psycopg.AsyncConnection[Any]) -> None:
    """Raises Unfit unless this release works with the tables. The connection as for `read`."""
    if why := why_unfit(await read(connection)):
        raise Unfit(why)
