"""A real PostgreSQL that answers and refuses."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg import sql


@contextmanager
def read_only(database_url: str) -> Iterator[None]:
    """Every session of the database is one that may write nothing, as on a standby."""
    _set_read_only(database_url, "on")
    try:
        yield
    finally:
        _set_read_only(database_url, "off")


@contextmanager
def no_connection_left(server_url: str) -> Iterator[None]:
    """All that the server has are taken, those kept for its superuser too."""
    with ExitStack() as taken:
        try:
            while True:
                taken.enter_context(psycopg.connect(server_url))
        except psycopg.OperationalError:
            yield


def _set_read_only(database_url: str, value: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        name = connection.info.dbname
        setting = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
        connection.execute(setting.format(sql.Identifier(name), sql.SQL(value)))
        # A session keeps what it began with.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE %s",
            (name, "bucatini %"),
        )
