"""How a migration stays out of the way of running work: it waits for no lock for long, and builds indexes beside writers.

Migrations that have landed use it, so what it leaves behind must stay the same.
"""

import sqlalchemy as sa
from alembic import op

LOCK_TIMEOUT = "3s"
"""Whoever waits for a table's lock keeps all others waiting behind it. What doesn't get one in time is tried again."""
STATEMENT_TIMEOUT = "60s"
BUILD_TIMEOUT = "12h"
"""For one index. Building it keeps nobody waiting, so it may take as long as the largest table does."""

USUAL = f"SET lock_timeout = '{LOCK_TIMEOUT}'; SET statement_timeout = '{STATEMENT_TIMEOUT}'"
_BUILDING = f"SET lock_timeout = 0; SET statement_timeout = '{BUILD_TIMEOUT}'"
_DEFINITION = """
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = :name AND i.indisvalid AND pg_table_is_visible(c.oid)
"""


def definition_of(index: str) -> str:
    """As PostgreSQL writes it; empty without such an index, or with one whose building was cut short."""
    return str(op.get_bind().execute(sa.text(_DEFINITION), {"name": index}).scalar() or "")


def build_index(name: str, definition: str) -> None:
    """`definition` is what follows ON. It takes the place of whatever stood under that name. Call it first in a
    migration, for it commits; it is safe to repeat, and removes what a killed build left behind."""
    new = f"{name}_new"
    with op.get_context().autocommit_block():
        op.execute(_BUILDING)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new}")
        op.execute(f"CREATE INDEX CONCURRENTLY {new} ON {definition}")
        # Until here the old one has served; queries take either by what it holds, not by its name.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"ALTER INDEX {new} RENAME TO {name}")
        op.execute(USUAL)
