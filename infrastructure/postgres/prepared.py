"""Prepared statements for the hot path: those sent for every job or batch of jobs.

A psycopg cursor parses the statement and picks an encoder for each parameter at every call. These are prepared under
their own names and take parameters already encoded; results are decoded by psycopg.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from infrastructure.postgres.session import Connection

Rows = list[tuple[Any, ...]]
_PARAMETER = re.compile(r"%\((\w+)\)b")


class Prepared:
    """One statement, with its parameters as `%(name)b`, psycopg's notation for binary ones."""

    def __init__(self, name: str, statement: str) -> None:
        self.name, self.statement = name, statement
        self._parameters = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
        numbers = {parameter: f"${number}" for number, parameter in enumerate(self._parameters, 1)}
        self.numbered = _PARAMETER.sub(lambda found: numbers[found[1]], statement)
        """The statement with `$1`, `$2` … for its parameters."""

    def __call__(self, **parameters: bytes | None) -> "Call":
        """Binds parameters, encoded by infrastructure/postgres/binary.py."""
        return Call(self, [parameters[name] for name in self._parameters])


@dataclass(frozen=True, slots=True)
class Call:
    """A statement with its parameters."""

    statement: Prepared
    parameters: Sequence[bytes | None]

    def send(self, pgconn: PGconn) -> None:
        formats = [Format.BINARY] * len(self.parameters)
        pgconn.send_query_prepared(self.statement.name.encode(), self.parameters, formats, Format.BINARY)


async def fetch(connection: Connection, call: Call) -> Rows:
    """Executes the call and returns its rows. Raises what psycopg raises for a statement."""
    await _prepare(connection, call.statement)
    call.send(connection.pgconn)
    result, *failures = await connection.wait(generators.execute(connection.pgconn))
    for failure in failures:  # Of the commit, which comes after the rows.
        _raise_if_failed(failure)
    return _rows(connection, call.statement, result)


async def fetch_together(connection: Connection, *calls: Call) -> list[Rows]:
    """Executes several calls in one round trip and one transaction; each sees what was committed before it began."""
    if len(calls) == 1:
        return [await fetch(connection, calls[0])]
    for call in calls:
        await _prepare(connection, call.statement)
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    try:
        for call in calls:
            call.send(pgconn)
        pgconn.pipeline_sync()
        results = await connection.wait(_results(pgconn, len(calls)))
        pgconn.exit_pipeline_mode()
    except BaseException:
        # An unknown number of results may be pending: the session can't be used any more.
        pgconn.finish()
        raise
    return [_rows(connection, call.statement, result) for call, result in zip(calls, results, strict=True)]


async def _prepare(connection: Connection, statement: Prepared) -> None:
    if statement.name in connection.statements.readers:
        return
    connection.pgconn.send_prepare(statement.name.encode(), statement.numbered.encode())
    (result,) = await connection.wait(generators.execute(connection.pgconn))
    _raise_if_failed(result)
    connection.statements.readers[statement.name] = None


def _results(pgconn: PGconn, count: int) -> PQGen[list[PGresult]]:
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    for _ in range(count):
        results += yield from generators.fetch_many(pgconn)
    # The pipeline's sync is a result too, or what the commit failed of in its place: then the rows before it are of a
    # transaction that was rolled back.
    for ended in (yield from generators.fetch_many(pgconn)):
        _raise_if_failed(ended)
    return results


def _rows(connection: Connection, statement: Prepared, result: PGresult) -> Rows:
    _raise_if_failed(result)
    if not result.ntuples:
        return []
    reader = connection.statements.readers[statement.name]
    if reader is None:
        connection.statements.readers[statement.name] = reader = Transformer(connection)
        reader.set_pgresult(result, format=Format.BINARY)
    else:
        # The columns are the same every time, so their decoders are reused.
        reader.set_pgresult(result, set_loaders=False, format=Format.BINARY)
    rows = reader.load_rows(0, result.ntuples, tuple)
    reader.set_pgresult(None, set_loaders=False)  # Frees the result, which may be megabytes.
    return rows


def _raise_if_failed(result: PGresult) -> None:
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result)
