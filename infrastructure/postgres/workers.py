"""Worker rows and heartbeats: each worker process has one row, and its heartbeat extends the lease on all its jobs."""

from typing import LiteralString
from uuid import UUID

import psycopg

from infrastructure.ports import Unavailable
from infrastructure.postgres import refusals
from infrastructure.postgres.session import Connection, Role, connect_blocking

_REGISTER = "INSERT INTO workers (id, queue, host, pid) VALUES (%s, %s, %s, %s)"
_BEAT = (
    "UPDATE workers SET heartbeat_at = now(), stalled_at = NULL, stalled_by = NULL WHERE id = %s AND dead_at IS NULL"
)
_STALL = """
UPDATE workers SET stalled_at = coalesce(stalled_at, now()), stalled_by = coalesce(%s, stalled_by)
WHERE id = %s AND dead_at IS NULL
"""
_LEAVE = "UPDATE workers SET dead_at = now() WHERE id = %s AND dead_at IS NULL"
_STILL_HELD = "SELECT id, lease_token FROM jobs WHERE lease_worker = %s AND lease_token IS NOT NULL"


class Heart:
    """Writes a worker's row over its own blocking connection, from a thread that a busy event loop can't starve.

    Every method raises Unavailable when PostgreSQL can't be reached, and connects anew the next time.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def register(self, worker_id: UUID, queue: str, host: str, pid: int) -> None:
        self._run(_REGISTER, worker_id, queue, host, pid)

    def beat(self, worker_id: UUID) -> bool:
        """Stores a heartbeat. False when this worker was declared dead: its jobs are no longer its own."""
        return self._run(_BEAT, worker_id) == 1

    def stall(self, worker_id: UUID, job_id: UUID | None) -> None:
        """Marks this worker as alive but stalled: its event loop is blocked, by this job's run if it is known."""
        self._run(_STALL, job_id, worker_id)

    def leave(self, worker_id: UUID) -> None:
        """Marks this worker as dead, so that the next sweep requeues the jobs it still holds."""
        self._run(_LEAVE, worker_id)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, statement: LiteralString, *parameters: object) -> int:
        try:
            return self._open().execute(statement, parameters).rowcount
        except psycopg.Error as error:
            self.close()
            raise Unavailable(f"{refusals.note(error)} (the heartbeat's connection)") from error

    def _open(self) -> "psycopg.Connection[tuple[object, ...]]":
        if self._connection is None or self._connection.closed:
            session = {"statement_timeout": "3s"}
            self._connection = connect_blocking(
                self._database_url, Role.SYSTEM, "heart", session, connect_timeout_seconds=3
            )
        return self._connection


async def leases_of(connection: Connection, worker_id: UUID) -> dict[UUID, UUID]:
    """The jobs leased to this worker, with their tokens. A run that isn't among them was cancelled or given to another
    worker; a job without a run is of a claim whose reply was lost."""
    found = await connection.execute(_STILL_HELD, (worker_id,))
    return dict(await found.fetchall())
