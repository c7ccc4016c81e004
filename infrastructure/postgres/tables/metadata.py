"""What the files beside this one declare their tables with."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import MetaData
from sqlalchemy.types import UserDefinedType

OWNER: Final = "owner_column"
SEALED: Final = "sealed"

metadata = MetaData()
"""Every table of the product; `infrastructure.postgres.tables` fills it."""


class Xid8(UserDefinedType[int]):
    """A transaction's id that never wraps around (https://www.postgresql.org/docs/current/datatype-oid.html)."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


def owned_by(column: str) -> dict[str, str]:
    """Says that row-level security shows the table's rows to the tenant whose id the column holds, and to no other."""
    return {OWNER: column}


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """How a sealed value of a column is named in its cell."""

    row: str
    """The column with the row's name."""
    named: str | None
    """The cell's `table.column` where it isn't the column's own."""


def sealed(row: str, named: str | None = None) -> dict[str, SealedColumn]:
    """Says that the column holds ciphertext. Rotating a tenant's key re-encrypts every such column."""
    return {SEALED: SealedColumn(row, named)}
