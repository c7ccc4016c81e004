"""What the files beside this one declare their tables with."""

from typing import Any, Final

from sqlalchemy import MetaData
from sqlalchemy.types import UserDefinedType

OWNER: Final = "owner_column"

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
