"""How DATABASE_URL is dialled: what a connection needs is said here, whatever libpq finds in the environment."""

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infrastructure.ports import Unavailable

CONNECT_TIMEOUT_SECONDS = 5
_UNLESS_GIVEN: dict[str, str | int | None] = {
    # After a failover a list of hosts holds one that takes writes, and every process of this product writes.
    "target_session_attrs": "read-write",
    # An empty value keeps PGOPTIONS out.
    "options": "",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class Unfit(Unavailable):
    """PostgreSQL, or what stands before it, is such that this product can't work on it. The message says what to change.

    Waiting doesn't help, so a process that finds it at its start ends; one that finds it later takes it for an outage.
    """


def conninfo(database_url: str, name: str, *, connect_timeout_seconds: int = CONNECT_TIMEOUT_SECONDS) -> str:
    """For libpq. Unfit when it can't be read; the message doesn't quote it, since it holds a password."""
    try:
        given = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        raise Unfit("DATABASE_URL can't be read: write it as postgresql://user:password@host:5432/database") from None
    ours: dict[str, str | int | None] = {
        "client_encoding": "UTF8",
        "connect_timeout": connect_timeout_seconds,
        "application_name": f"bucatini {name}",
    }
    parameters = {**_UNLESS_GIVEN, **given, **ours}
    return make_conninfo("", **parameters)
