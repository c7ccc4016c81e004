"""Migrates a database to another version of the tables. Safe to repeat, and to run in several processes at once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable, QueryCanceled

from infrastructure.ports import Unavailable
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.migrations.online import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from infrastructure.postgres.schema import WRITTEN_FOR, Tables, serve_us, why_unfit
from infrastructure.postgres.session import connect_blocking

ONE_MIGRATION_AT_A_TIME = 0x6275_6361
"""The advisory lock's key: "buca" in ASCII."""
OTHERS_SECONDS = 900.0
"""How long to wait for a migration that another process runs."""
LOCK_TRIES = 30
PAUSE_SECONDS = 1.0
FIRST_UNDOABLE = "0008"
"""Earlier migrations created tables with users' data: undoing them would delete it."""


class VersionRefused(Exception):
    """The tables can't be migrated to that version. Nothing was changed; the message says what to do."""


def migrate(database_url: str, to: str | None = None) -> str:
    """Migrates up or down to version `to`, by default this release's newest, and returns the version.

    Each migration is committed with its number, so an interrupted run continues the next time. Newer tables that serve
    this release stay as they are. Raises Unfit when they don't serve it, VersionRefused when the version can't be
    reached, Unavailable when the tables were too busy.
    """
    with _alone(database_url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        before = _tables(connection)
        target = _target(ScriptDirectory.from_config(config), before, to)
        if target is None:
            assert before.version is not None
            return before.version
        _retry_until_locked(connection, config, target, undo=before.version is not None and target < before.version)
        return target


def _target(scripts: ScriptDirectory, before: Tables, to: str | None) -> str | None:
    """The version for Alembic to migrate to; None to change nothing."""
    known = sorted(script.revision for script in scripts.walk_revisions())
    if before.version is not None and before.version not in known:
        if to is None and serve_us(before):
            return None
        raise Unfit(why_unfit(before) or f"the tables are of version {before.version}, which this release doesn't know")
    if to is None:
        return WRITTEN_FOR
    if to not in known:
        raise VersionRefused(f"there is no version {to}: this release knows {known[0]} to {known[-1]}")
    if before.version is not None and to < before.version and known[known.index(to) + 1] < FIRST_UNDOABLE:
        oldest = known[known.index(FIRST_UNDOABLE) - 1]
        raise VersionRefused(
            f"the tables can't go back to {to}: what came before {FIRST_UNDOABLE} can't be undone without deleting what is "
            f"kept in them. Go to {oldest} at the furthest, or restore a backup"
        )
    return to


def _retry_until_locked(connection: sa.Connection, config: Config, target: str, *, undo: bool) -> None:
    for _ in range(LOCK_TRIES):
        try:
            (command.downgrade if undo else command.upgrade)(config, target)
            connection.commit()
            return
        except sa.exc.OperationalError as error:
            connection.rollback()
            if isinstance(error.orig, QueryCanceled):
                raise Unavailable(
                    f"a step to version {target} took longer than {STATEMENT_TIMEOUT} and was undone: run "
                    "`bucatini migrate` again when there is less to do"
                ) from None
            if not isinstance(error.orig, LockNotAvailable):
                raise
            time.sleep(PAUSE_SECONDS)
    raise Unavailable(
        f"the tables are in use: in {LOCK_TRIES} tries none got a table's lock within {LOCK_TIMEOUT}. See pg_stat_activity "
        "for a transaction that stays open, and run `bucatini migrate` again"
    )


@contextmanager
def _alone(database_url: str) -> Iterator[sa.Connection]:
    # libpq parses the address, as everywhere else: SQLAlchemy supports neither several hosts nor a quoted socket
    # folder.
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: _connection(database_url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        _take_turn(connection)
        yield connection
    engine.dispose()


def _connection(database_url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    connection = connect_blocking(database_url, None, "migration")
    connection.autocommit = False  # SQLAlchemy begins and ends its transactions itself.
    return connection


def _take_turn(connection: sa.Connection) -> None:
    # Polls, because a statement that waits for the lock would keep the other process from building an index: CREATE
    # INDEX CONCURRENTLY waits for every open snapshot.
    until = time.monotonic() + OTHERS_SECONDS
    while True:
        taken = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": ONE_MIGRATION_AT_A_TIME})
        mine = bool(taken.scalar())
        connection.commit()
        if mine:
            return
        if time.monotonic() > until:
            raise Unavailable(
                f"another `bucatini migrate` has been at work for {OTHERS_SECONDS / 60:.0f} min: see to it first"
            )
        time.sleep(PAUSE_SECONDS / 4)


def _tables(connection: sa.Connection) -> Tables:
    def stands(table: str) -> bool:
        return bool(connection.execute(sa.text("SELECT to_regclass(:name) IS NOT NULL"), {"name": table}).scalar())

    try:
        if not stands("alembic_version"):
            return Tables(None)
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        if not stands("schema_compatibility"):
            return Tables(version)
        return Tables(version, connection.execute(sa.text("SELECT serves FROM schema_compatibility")).scalar())
    finally:
        connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
