"""Statements that are sent for every job, or every batch of jobs.

A psycopg cursor reads the statement and finds a way to write each parameter anew every time, which takes a process that
has just been woken 0.1 to 0.2 ms. These are prepared under names of their own and get their parameters as they go over the wire;
the answer is read as psycopg reads it.
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
    """One statement, with its parameters as `%(name)b`: psycopg's spelling of binary ones."""

    def __init__(self, name: str, statement: str) -> None:
        self.name, self.statement = name, statement
        self._parameters = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
        numbers = {parameter: f"${number}" for number, parameter in enumerate(self._parameters, 1)}
        self.numbered = _PARAMETER.sub(lambda found: numbers[found[1]], statement)
        """As PostgreSQL reads it."""

    def __call__(self, **parameters: bytes | None) -> "Call":
        """The parameters as infrastructure/postgres/binary.py writes them."""
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
    """All rows of the answer. Raises what psycopg raises for a statement."""
    await _prepare(connection, call.statement)
    call.send(connection.pgconn)
    (answer,) = await connection.wait(generators.execute(connection.pgconn))
    return _rows(connection, call.statement, answer)


async def fetch_together(connection: Connection, *calls: Call) -> list[Rows]:
    """The same for several in one round trip and one transaction; each sees what was committed before it began."""
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
        answers = await connection.wait(_answers(pgconn, len(calls)))
        pgconn.exit_pipeline_mode()
    except BaseException:
        # There may be answers yet to come, and nothing tells how many: the session can't be used any more.
        pgconn.finish()
        raise
    return [_rows(connection, call.statement, answer) for call, answer in zip(calls, answers, strict=True)]


async def _prepare(connection: Connection, statement: Prepared) -> None:
    if statement.name in connection.statements.readers:
        return
    connection.pgconn.send_prepare(statement.name.encode(), statement.numbered.encode())
    (answer,) = await connection.wait(generators.execute(connection.pgconn))
    _raise_if_failed(answer)
    connection.statements.readers[statement.name] = None


def _answers(pgconn: PGconn, count: int) -> PQGen[list[PGresult]]:
    yield from generators.send(pgconn)
    answers: list[PGresult] = []
    for _ in range(count):
        answers += yield from generators.fetch_many(pgconn)
    yield from generators.fetch_many(pgconn)  # The end of the pipeline is an answer too.
    return answers


def _rows(connection: Connection, statement: Prepared, answer: PGresult) -> Rows:
    _raise_if_failed(answer)
    if not answer.ntuples:
        return []
    reader = connection.statements.readers[statement.name]
    if reader is None:
        connection.statements.readers[statement.name] = reader = Transformer(connection)
        reader.set_pgresult(answer, format=Format.BINARY)
    else:
        # The columns are the same every time, and so is the way each is read.
        reader.set_pgresult(answer, set_loaders=False, format=Format.BINARY)
    rows = reader.load_rows(0, answer.ntuples, tuple)
    reader.set_pgresult(None, set_loaders=False)  # An answer may be of megabytes.
    return rows


def _raise_if_failed(answer: PGresult) -> None:
    if answer.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(answer)
