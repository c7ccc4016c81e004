"""Rotations of the tenants' keys: the lock, the progress, and the rows that are still under older keys."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from psycopg.errors import LockNotAvailable

from infrastructure.concurrency.work_clock import waiting
from infrastructure.key_vault.sealed import Cell, Sealed
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Rotation, SealedRow, WrappedKey
from infrastructure.postgres.keys.wrapped_keys import CHANGE_KEYS
from infrastructure.postgres.search.documents import BODY, TABLE
from infrastructure.postgres.session import LOST, Connection, Role, connect

WAIT_SECONDS = 60.0
ASK_AGAIN_SECONDS = 30.0
STATEMENT_SECONDS = 60
MAX_ROWS = 500
MAX_BYTES = 8_000_000
HEADER_BYTES = 68

_ALONE = "SELECT pg_advisory_lock(hashtextextended('bucatini rotation ' || %s::text, 0))"

_ROTATION = """
SELECT rotation_job_id, id, version,
  (SELECT max(o.version) FROM tenant_keys o WHERE o.tenant_id = k.tenant_id AND o.version < k.version),
  rotation_cursor, rows_reencrypted, conflicts, rotated_at IS NOT NULL
FROM tenant_keys k WHERE tenant_id = %s AND {which}
"""
_UNFINISHED = _ROTATION.format(which="rotation_job_id IS NOT NULL AND rotated_at IS NULL")
_OF_JOB = _ROTATION.format(which="rotation_job_id = %s")

_STEP_DOWN = "UPDATE tenant_keys SET state = 'decrypt_only' WHERE tenant_id = %s AND state = 'active'"
_STEP_UP = """
INSERT INTO tenant_keys (tenant_id, version, state, master_key_id, wrapped, rotation_job_id)
SELECT %(tenant)s, coalesce(max(version), 0) + 1, 'active', %(master)s, %(wrapped)s, %(job)s
FROM tenant_keys WHERE tenant_id = %(tenant)s
"""

_OLD = "tenant_id = %(tenant)s AND substring(body FROM 5 FOR 8) <> int8send(%(key)s)"
_LEFT_OVER = f"SELECT count(*) FROM documents WHERE {_OLD}"
_NEXT_ROWS = f"""
SELECT document_id, body FROM (
  SELECT document_id, body, row_number() OVER w AS row, sum(octet_length(body)) OVER w AS bytes
  FROM (SELECT document_id, body FROM documents WHERE {_OLD} AND document_id > %(cursor)s
        ORDER BY document_id LIMIT {MAX_ROWS}) AS few
  WINDOW w AS (ORDER BY document_id)) AS measured
WHERE row = 1 OR bytes <= {MAX_BYTES} ORDER BY document_id
"""

# The header has 192 random bits, new at every seal, so an equal header means that the cell hasn't been written since.
_REPLACE = f"""
UPDATE documents d SET body = s.new
FROM unnest(%(ids)b::text[], %(headers)b::bytea[], %(new)b::bytea[]) AS s (id, header, new)
WHERE d.tenant_id = %(tenant)b AND d.document_id = s.id AND substring(d.body FROM 1 FOR {HEADER_BYTES}) = s.header
"""
_ADVANCE = """
UPDATE tenant_keys SET rotation_cursor = %s, rows_reencrypted = rows_reencrypted + %s, conflicts = conflicts + %s
WHERE id = %s
"""

_RETIRE = "UPDATE tenant_keys SET state = 'retired', retired_at = now() WHERE tenant_id = %s AND state = 'decrypt_only'"
_FINISH = "UPDATE tenant_keys SET rotated_at = now() WHERE id = %s"


class PostgresRotations:
    """Rotations in PostgreSQL, one at a time for each tenant: a second one waits up to WAIT_SECONDS."""

    def __init__(self, database_url: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._database_url = database_url
        self._wait_seconds = wait_seconds
        self._session = {
            "lock_timeout": f"{int(wait_seconds * 1_000)}ms",
            "statement_timeout": f"{int((wait_seconds + STATEMENT_SECONDS) * 1_000)}ms",
        }

    @asynccontextmanager
    async def alone(self, tenant_id: UUID) -> AsyncIterator["PostgresRotationSession"]:
        # The lock belongs to this connection, and every statement of the rotation runs on it: a process that lost the
        # lock can't write any more.
        try:
            async with await connect(self._database_url, Role.SYSTEM, "key rotation", self._session) as connection:
                await self._wait_for_right(connection, tenant_id)
                yield PostgresRotationSession(connection, tenant_id)
        except LOST as error:
            raise Unavailable("PostgreSQL ended or refused the connection 'key rotation'") from error

    async def _wait_for_right(self, connection: Connection, tenant_id: UUID) -> None:
        try:
            with waiting():
                await connection.execute(_ALONE, (tenant_id,))
        except LockNotAvailable:
            raise Unavailable(
                f"another rotation of this tenant has run for {self._wait_seconds:g} s; this one comes after it",
                retry_after_seconds=ASK_AGAIN_SECONDS,
            ) from None


class PostgresRotationSession:
    def __init__(self, connection: Connection, tenant_id: UUID) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def unfinished(self) -> Rotation | None:
        row = await (await self._connection.execute(_UNFINISHED, (self._tenant_id,))).fetchone()
        return None if row is None else Rotation(*row)

    async def of_job(self, job_id: UUID) -> Rotation | None:
        row = await (await self._connection.execute(_OF_JOB, (self._tenant_id, job_id))).fetchone()
        return None if row is None else Rotation(*row)

    async def begin(self, job_id: UUID, key: WrappedKey) -> Rotation:
        made = {"tenant": self._tenant_id, "master": key.master_key_id, "wrapped": key.ciphertext, "job": job_id}
        async with self._connection.transaction():
            await self._connection.execute(CHANGE_KEYS, (self._tenant_id,))
            await self._connection.execute(_STEP_DOWN, (self._tenant_id,))
            await self._connection.execute(_STEP_UP, made)
        begun = await self.of_job(job_id)
        if begun is None:
            raise AssertionError("a rotation that was just stored is there")
        return begun

    async def left_over(self, rotation: Rotation) -> int:
        found = await self._connection.execute(_LEFT_OVER, {"tenant": self._tenant_id, "key": rotation.key_id})
        row = await found.fetchone()
        return 0 if row is None else int(row[0])

    async def next_rows(self, rotation: Rotation) -> Sequence[SealedRow]:
        where = {"tenant": self._tenant_id, "key": rotation.key_id, "cursor": rotation.cursor}
        found = await self._connection.execute(_NEXT_ROWS, where, binary=True)
        return [
            SealedRow(Cell(self._tenant_id, TABLE, BODY, document_id), Sealed(body))
            for document_id, body in await found.fetchall()
        ]

    async def replace(self, rotation: Rotation, old: Sequence[SealedRow], new: Sequence[SealedRow]) -> Rotation:
        headers = {row.cell: row.sealed.ciphertext[:HEADER_BYTES] for row in old}
        rows = {
            "tenant": self._tenant_id,
            "ids": [row.cell.row for row in new],
            "headers": [headers[row.cell] for row in new],
            "new": [row.sealed.ciphertext for row in new],
        }
        cursor = old[-1].cell.row
        async with self._connection.transaction():
            replaced = (await self._connection.execute(_REPLACE, rows)).rowcount
            conflicts = len(new) - replaced
            await self._connection.execute(_ADVANCE, (cursor, replaced, conflicts, rotation.key_id))
        return replace(
            rotation,
            cursor=cursor,
            rows_reencrypted=rotation.rows_reencrypted + replaced,
            conflicts=rotation.conflicts + conflicts,
        )

    async def start_over(self, rotation: Rotation) -> Rotation:
        await self._connection.execute(_ADVANCE, ("", 0, 0, rotation.key_id))
        return replace(rotation, cursor="")

    async def finish(self, rotation: Rotation) -> Rotation:
        async with self._connection.transaction():
            await self._connection.execute(_RETIRE, (self._tenant_id,))
            await self._connection.execute(_FINISH, (rotation.key_id,))
        return replace(rotation, finished=True)
