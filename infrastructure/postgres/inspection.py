"""Inspects a database for an operator: whether it is reachable, its version, its tables, its live workers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from infrastructure.ports import Unavailable
from infrastructure.postgres.fitness import examine, why_tables_unfit
from infrastructure.postgres.session import Role, connect_blocking, session_statement

_WORKERS = """
SELECT queue, count(*) FROM workers
 WHERE dead_at IS NULL AND heartbeat_at > now() - make_interval(secs => %s) GROUP BY queue
"""


@dataclass(frozen=True, slots=True)
class Inspection:
    version: int
    """PostgreSQL's major version."""
    unfit: str
    """Why this release can't work with its tables, and what to do; empty if it can."""
    workers: Mapping[str, int]
    """Live workers by queue; empty while the tables are unfit."""


def inspect(database_url: str, *, lease_seconds: float) -> Inspection:
    """The database as it is now. Unavailable when it can't be reached, refuses the credentials or is unfit for us."""
    asyncio.run(examine(database_url))
    try:
        with connect_blocking(database_url, None, "inspection") as connection:
            unfit = asyncio.run(why_tables_unfit(database_url))
            workers = {} if unfit else _workers(connection, lease_seconds)
            return Inspection(connection.info.server_version // 10_000, unfit, workers)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL can't be reached: {str(error).strip().splitlines()[0]}") from None


def _workers(connection: psycopg.Connection[tuple[Any, ...]], lease_seconds: float) -> dict[str, int]:
    connection.execute(session_statement(Role.SYSTEM, {}))
    return {str(queue): int(str(count)) for queue, count in connection.execute(_WORKERS, (lease_seconds,))}
