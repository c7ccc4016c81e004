"""Which tables this release works with: every process asks before it begins, and of each connection it makes.

In a deploy the tables come first and the processes follow. So a process needs the tables it was written for, or later ones
that say they serve it still. See docs/decisions/0012.
"""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg.errors import UndefinedTable

from infrastructure.postgres.address import Unfit

WRITTEN_FOR: Final = "0009"
"""The newest migration of this release. All are numbers of four digits, so they compare as text."""

_VERSION: LiteralString = "SELECT version_num FROM public.alembic_version"
_VERSION_AND_SERVES: LiteralString = (
    "SELECT version_num, serves FROM public.alembic_version, public.schema_compatibility"
)


@dataclass(frozen=True, slots=True)
class Tables:
    """What a database says of its tables."""

    version: str | None
    """None where there are none of ours."""
    serves: str | None = None
    """Processes written for this version of them, or a later one, may work on them. None: only for their own."""


def why_unfit(tables: Tables) -> str:
    """Why a process of this release can't work with them, and what to do about it; empty if it can."""
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
    """Whether tables that are newer than this release say that it may work on them."""
    return tables.serves is not None and tables.serves <= WRITTEN_FOR


async def read(connection: psycopg.AsyncConnection[Any]) -> Tables:
    """As the account that made them, in autocommit."""
    for statement in (_VERSION_AND_SERVES, _VERSION):
        try:
            row = await (await connection.execute(statement, prepare=False)).fetchone()
        except UndefinedTable:
            continue
        return Tables(None) if row is None else Tables(*row)
    return Tables(None)


async def refuse_tables(connection: psycopg.AsyncConnection[Any]) -> None:
    """Raises Unfit unless this release works with the tables. Wants what `read` wants."""
    if why := why_unfit(await read(connection)):
        raise Unfit(why)
