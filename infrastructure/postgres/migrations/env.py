"""Alembic's entry: runs on the connection that `infrastructure.postgres.migration` opened and locked."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from infrastructure.postgres.migrations.online import USUAL

_STANDS = sa.text("SELECT to_regclass('schema_compatibility') IS NOT NULL")
_NOTE = sa.text(
    "INSERT INTO schema_compatibility (serves) VALUES (:serves) ON CONFLICT (one) DO UPDATE SET serves = excluded.serves"
)


def _note_whom_they_serve(*_: Any, **step: Any) -> None:
    """In the transaction of each step: the latest of what the migrations say that the tables have had by now."""
    connection = step["ctx"].connection
    if not connection.execute(_STANDS).scalar():
        return
    scripts = context.script.iterate_revisions(tuple(step["heads"]), "base")
    serves = max(script.module.serves for script in scripts if hasattr(script.module, "serves"))
    connection.execute(_NOTE, {"serves": serves})


connection = context.config.attributes["connection"]
connection.exec_driver_sql(USUAL)
connection.commit()
# Each on its own: what has been done stays done when a later one has to wait for a table's lock.
context.configure(connection=connection, transaction_per_migration=True, on_version_apply=_note_whom_they_serve)
with context.begin_transaction():
    context.run_migrations()
