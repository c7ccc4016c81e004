"""Seals a value and writes it under the key that is active until the commit."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from infrastructure.key_vault.sealed import Cell
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.keys.active_key import hold_active_key
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

T = TypeVar("T")

MAX_KEY_CHANGES: Final = 5


async def write_sealed(
    pool: TenantPool,
    sealer: Sealer,
    cell: Cell,
    plaintext: str,
    write: Callable[[Connection, bytes], Awaitable[T]],
) -> T:
    """Calls `write` with the ciphertext in a transaction of the tenant, and returns its result. It is safe to repeat if
    `write` is. Unavailable when PostgreSQL can't be reached, or the tenant's keys change too fast."""
    for _ in range(MAX_KEY_CHANGES):
        ciphertext = (await sealer.seal(cell, plaintext)).ciphertext
        written = await pool.run(cell.tenant_id, partial(_under_active_key, cell=cell, sealed=ciphertext, write=write))
        if written:
            return written[0]
        sealer.forget_active(cell.tenant_id)
    raise Unavailable("the tenant's keys change faster than a value can be stored; try again")


async def _under_active_key(
    connection: Connection, cell: Cell, sealed: bytes, write: Callable[[Connection, bytes], Awaitable[T]]
) -> tuple[T, ...]:
    """What `write` returned; nothing when the value must be sealed again."""
    if not await hold_active_key(connection, cell.tenant_id, [sealed]):
        return ()
    return (await write(connection, sealed),)
