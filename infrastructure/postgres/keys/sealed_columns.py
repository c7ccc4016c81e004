"""The columns with ciphertext, as the tables declare them (`sealed(...)`), and the statements that move one to a new key."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final
from uuid import UUID

from infrastructure.key_vault.sealed import Cell
from infrastructure.key_vault.sealing import HEADER_BYTES, KEY_ID

MAX_ROWS: Final = 500
MAX_BYTES: Final = 8_000_000

_KEY_ID = f"FROM {KEY_ID.start + 1} FOR {KEY_ID.stop - KEY_ID.start}"


@dataclass(frozen=True)
class CiphertextColumn:
    """A column, and what its cells are called."""

    table: str
    column: str
    owner: str
    """The column with the tenant's id."""
    row: str
    """The column with the row's name."""
    cell_table: str
    cell_column: str

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    def cell(self, tenant_id: UUID, row: str) -> Cell:
        return Cell(tenant_id, self.cell_table, self.cell_column, row)

    @cached_property
    def left_over(self) -> str:
        """How many cells aren't under the key."""
        return f"""SELECT count(*) FROM "{self.table}" WHERE {self._old}"""

    @cached_property
    def next_rows(self) -> str:
        """Row and ciphertext of the first cells after the cursor that aren't under the key."""
        return f"""
SELECT name, sealed FROM (
  SELECT name, sealed, row_number() OVER w AS number, sum(octet_length(sealed)) OVER w AS bytes
  FROM (SELECT "{self.row}" AS name, "{self.column}" AS sealed FROM "{self.table}" WHERE {self._old} AND "{self.row}" > %(cursor)s
        ORDER BY "{self.row}" LIMIT {MAX_ROWS}) AS few
  WINDOW w AS (ORDER BY name)) AS measured
WHERE number = 1 OR bytes <= {MAX_BYTES} ORDER BY name
"""

    @cached_property
    def replace(self) -> str:
        """Replaces the cells that nobody has written since: the header has 192 random bits, new at every seal."""
        return f"""
UPDATE "{self.table}" t SET "{self.column}" = s.new
FROM unnest(%(rows)b::text[], %(headers)b::bytea[], %(new)b::bytea[]) AS s (name, header, new)
WHERE t."{self.owner}" = %(tenant)b AND t."{self.row}" = s.name
  AND substring(t."{self.column}" FROM 1 FOR {HEADER_BYTES}) = s.header
"""

    @property
    def _old(self) -> str:
        # Of an empty cell both sides are NULL, so it isn't one of them.
        return f""""{self.owner}" = %(tenant)s AND substring("{self.column}" {_KEY_ID}) <> int8send(%(key)s)"""


@cache
def ciphertext_columns() -> dict[str, CiphertextColumn]:
    """All of them by their names, in the order of these."""
    return {column.name: column for column in sorted(_declared(), key=lambda column: column.name)}


def _declared() -> Iterator[CiphertextColumn]:
    # Here and not above: SQLAlchemy is loaded by who rotates a key, not by every worker of the pool.
    from infrastructure.postgres.tables import OWNER, metadata
    from infrastructure.postgres.tables.metadata import SEALED

    for table in metadata.tables.values():
        for column in table.columns:
            if (declared := column.info.get(SEALED)) is not None:
                named = declared.named or f"{table.name}.{column.name}"
                cell_table, _, cell_column = named.partition(".")
                yield CiphertextColumn(
                    table.name, column.name, table.info[OWNER], declared.row, cell_table, cell_column
                )
