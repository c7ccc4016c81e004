"""Checks whether this product can work with a database: its encoding, its tables, and its pooler's mode."""

import asyncio
import secrets
import time
from typing import Any, LiteralString

import psycopg
from psycopg import errors

from infrastructure.ports import Unavailable
from infrastructure.postgres.address import Unfit, conninfo
from infrastructure.postgres.schema import read, refuse_tables, why_unfit

ENCODING = "UTF8"
PROOF_SECONDS = 3.0
"""How long each of two connections may take to be served. A pooler whose sessions are all in use makes it wait."""
PROVEN_FOR_SECONDS = 60.0
START_TIMEOUT_SECONDS = 2
"""libpq's shortest timeout: a server that doesn't answer mustn't keep a process from starting."""

_MARK = "SELECT pg_backend_pid(), set_config('bucatini.session', %s, false)"
_LOOK = "SELECT pg_backend_pid(), current_setting('bucatini.session', true)"
_POOLED = (
    "a pooler before PostgreSQL gives each transaction another session (pool_mode=transaction or statement): there the "
    "roles that keep tenants apart pass from one client to another. Set pool_mode=session for this database, or connect "
    "to PostgreSQL itself"
)

_Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_proven_until: dict[str, float] = {}
"""By address; shared by the whole process, since each check costs two connections."""


def refuse_unfit(database_url: str) -> None:
    """Checks the database when a process starts. Raises Unfit; returns when it is fit, or can't be reached yet."""
    try:
        asyncio.run(examine(database_url, tables=True))
    except Unfit:
        raise
    except Unavailable:
        return


async def examine(database_url: str, *, tables: bool = False) -> None:
    """Checks encoding and pooler, and with `tables` the tables' version. Raises Unfit with what to do about it,
    Unavailable when PostgreSQL can't be reached. Safe to repeat."""
    first = await _connect(database_url)
    try:
        refuse_encoding(first)
        if tables:
            await refuse_tables(first)
        await _prove(database_url, first)
    except psycopg.Error as error:
        raise Unavailable("PostgreSQL ended the connection while it was examined") from error
    except TimeoutError:
        raise Unavailable(
            f"PostgreSQL, or a pooler whose pool is full, answered nothing for {PROOF_SECONDS:g} s"
        ) from None
    finally:
        await first.close()


async def why_tables_unfit(database_url: str) -> str:
    """Why this release can't work with the tables, and what to do; empty if it can. Unavailable when PostgreSQL can't
    be reached."""
    connection = await _connect(database_url)
    try:
        return why_unfit(await read(connection))
    except psycopg.Error as error:
        raise Unavailable("PostgreSQL ended the connection while it was asked for its tables' version") from error
    finally:
        await connection.close()


def refuse_encoding(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Raises Unfit unless the database's encoding is UTF8, as the server reported it when connecting."""
    found = connection.info.parameter_status("server_encoding")
    if found != ENCODING:
        raise Unfit(
            f"the database '{connection.info.dbname}' keeps text in {found}, which can't hold every document: make one "
            f"with CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0, and name it in DATABASE_URL"
        )


async def refuse_transaction_pooling(database_url: str) -> None:
    """Checks a connection that goes through a pooler. A good result is cached for PROVEN_FOR_SECONDS. Raises Unfit or
    Unavailable."""
    if _proven_until.get(database_url, 0.0) < time.monotonic():
        await examine(database_url)


async def _prove(database_url: str, first: _Connection) -> None:
    mark = secrets.token_hex(8)
    async with asyncio.timeout(PROOF_SECONDS):
        session, _ = await _ask(first, _MARK, mark)
        # Twice, for a pooler that assigns its sessions round robin.
        kept = await _ask(first, _LOOK) == await _ask(first, _LOOK) == (session, mark)
    if kept:
        kept = await _apart(database_url, first, (session, mark))
    if not kept:
        raise Unfit(_POOLED)


async def _apart(database_url: str, first: _Connection, own: tuple[Any, ...]) -> bool:
    """Whether a second client, while the first is idle, gets another session."""
    try:
        async with asyncio.timeout(PROOF_SECONDS):
            second = await _connect(database_url)
    except (TimeoutError, Unavailable):
        return True  # The second client wasn't served while the first was idle, so the session is the first one's own.
    try:
        async with asyncio.timeout(PROOF_SECONDS):
            if _shared(await _ask(second, _LOOK), own):
                return False
            await second.execute("BEGIN")
            if _shared(await _ask(second, _LOOK), own) or await _ask(first, _LOOK) != own:
                return False
    except TimeoutError:
        return True
    except errors.ProtocolViolation:
        return False  # A pooler that refuses BEGIN is in statement mode.
    finally:
        await second.close()
    _proven_until[database_url] = time.monotonic() + PROVEN_FOR_SECONDS
    return True


def _shared(seen: tuple[Any, ...], own: tuple[Any, ...]) -> bool:
    return any(theirs == ours for theirs, ours in zip(seen, own, strict=True))


async def _connect(database_url: str) -> _Connection:
    address = conninfo(database_url, "examination", connect_timeout_seconds=START_TIMEOUT_SECONDS)
    try:
        return await psycopg.AsyncConnection.connect(address, autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL can't be reached: {str(error).strip().splitlines()[0]}") from None


async def _ask(connection: _Connection, question: LiteralString, *parameters: object) -> tuple[Any, ...]:
    row = await (await connection.execute(question, parameters or None)).fetchone()
    assert row is not None, "each question is answered by one row"
    return row
