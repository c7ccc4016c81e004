"""Brings a database to the newest tables. Safe to run again and from several processes at once."""

from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from infrastructure.postgres.connections import connect_blocking

ONE_MIGRATION_AT_A_TIME = 0x6275_6361
"""The advisory lock's key: "buca" in ASCII."""


def migrate(database_url: str) -> None:
    """Runs every migration that the database hasn't had yet, each in a transaction."""
    engine = _engine(database_url)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ONE_MIGRATION_AT_A_TIME})
        connection.commit()
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


def pending(database_url: str) -> bool:
    """Whether the database lacks a migration that this version needs."""
    engine = _engine(database_url)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return current != ScriptDirectory.from_config(_config()).get_current_head()


def _engine(database_url: str) -> sa.Engine:
    # libpq reads the address, as everywhere else: SQLAlchemy knows neither several hosts nor a socket's quoted folder.
    return sa.create_engine("postgresql+psycopg://", creator=lambda: _connection(database_url), poolclass=sa.NullPool)


def _connection(database_url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    connection = connect_blocking(database_url, None, "migration")
    connection.autocommit = False  # SQLAlchemy begins and ends its transactions itself.
    return connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
