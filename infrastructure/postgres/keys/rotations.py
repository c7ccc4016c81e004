"""Rotations of the tenants' keys: the lock, the progress, and the sealed cells that are still under older keys."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from psycopg.errors import LockNotAvailable

from infrastructure.concurrency.work_clock import waiting
from infrastructure.key_vault.sealed import Sealed
from infrastructure.key_vault.sealing import HEADER_BYTES
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Rotation, SealedRow, WrappedKey
from infrastructure.postgres.keys.sealed_columns import CiphertextColumn, ciphertext_columns
from infrastructure.postgres.keys.wrapped_keys import CHANGE_KEYS
from infrastructure.postgres.session import LOST, Connection, Role, connect

WAIT_SECONDS = 60.0
ASK_AGAIN_SECONDS = 30.0
STATEMENT_SECONDS = 60

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
        return sum([await self._left_over_in(column, rotation) for column in ciphertext_columns().values()])

    async def _left_over_in(self, column: CiphertextColumn, rotation: Rotation) -> int:
        found = await self._connection.execute(column.left_over, {"tenant": self._tenant_id, "key": rotation.key_id})
        row = await found.fetchone()
        return 0 if row is None else int(row[0])

    async def next_rows(self, rotation: Rotation) -> Sequence[SealedRow]:
        """Rows of one column: the columns follow each other by their names."""
        for column, cursor in columns_from(rotation.cursor):
            where = {"tenant": self._tenant_id, "key": rotation.key_id, "cursor": cursor}
            found = await self._connection.execute(column.next_rows, where, binary=True)
            if rows := await found.fetchall():
                return [
                    SealedRow(column.name, column.cell(self._tenant_id, row), Sealed(sealed)) for row, sealed in rows
                ]
        return []

    async def replace(self, rotation: Rotation, old: Sequence[SealedRow], new: Sequence[SealedRow]) -> Rotation:
        column = ciphertext_columns()[old[-1].column]
        headers = {row.cell: row.sealed.ciphertext[:HEADER_BYTES] for row in old}
        rows = {
            "tenant": self._tenant_id,
            "rows": [row.cell.row for row in new],
            "headers": [headers[row.cell] for row in new],
            "new": [row.sealed.ciphertext for row in new],
        }
        cursor = f"{column.name}/{old[-1].cell.row}"
        async with self._connection.transaction():
            replaced = (await self._connection.execute(column.replace, rows)).rowcount
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


def columns_from(cursor: str) -> Iterator[tuple[CiphertextColumn, str]]:
    """The columns from the cursor's on, each with the row to go on after. A column that was dropped since is passed over."""
    reached, _, row = cursor.partition("/")
    for name, column in ciphertext_columns().items():
        if name >= reached:
            yield column, row if name == reached else ""
