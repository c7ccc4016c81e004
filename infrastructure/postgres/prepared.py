"""Statements that are sent for every job, or every batch of jobs.

A psycopg cursor reads the statement and finds a way to write each parameter anew every time, which takes a process that
has just been woken 0.2 ms. These are prepared under names of their own and get their parameters as they go over the wire;
the answer is read as psycopg reads it.
"""

import re
from typing import Any

from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from infrastructure.postgres.connections import Connection

_PARAMETER = re.compile(r"%\((\w+)\)b")


class Prepared:
    """One statement, with its parameters as `%(name)b`: psycopg's spelling of binary ones."""

    def __init__(self, name: str, statement: str) -> None:
        self.name, self.statement = name, statement
        self._name = name.encode()
        self._parameters = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
        numbers = {parameter: f"${number}" for number, parameter in enumerate(self._parameters, 1)}
        self._numbered = _PARAMETER.sub(lambda found: numbers[found[1]], statement).encode()
        self._formats = [Format.BINARY] * len(self._parameters)

    async def fetch(self, connection: Connection, **parameters: bytes | None) -> list[tuple[Any, ...]]:
        """All rows of the answer. The parameters come as infrastructure/postgres/wire.py writes them.

        Raises what psycopg raises for a statement. Whether repeating it is safe is the statement's matter.
        """
        if self._name not in connection.prepared:
            connection.pgconn.send_prepare(self._name, self._numbered)
            await _answer(connection)
            connection.prepared.add(self._name)
        connection.pgconn.send_query_prepared(
            self._name, [parameters[name] for name in self._parameters], self._formats, Format.BINARY
        )
        answer = await _answer(connection)
        rows = Transformer(connection)
        rows.set_pgresult(answer, format=Format.BINARY)
        return rows.load_rows(0, answer.ntuples, tuple)


async def _answer(connection: Connection) -> PGresult:
    answer: PGresult
    (answer,) = await connection.wait(generators.execute(connection.pgconn))
    if answer.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(answer)
    return answer
