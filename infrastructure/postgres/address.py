"""How DATABASE_URL is dialled: what a connection needs is said here, whatever libpq finds in the environment."""

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from infrastructure.ports import Unavailable

CONNECT_TIMEOUT_SECONDS = 5
EMBEDDED: Final = "bucatini-embedded"
"""The `application_name` in the embedded server's address. It means: nothing but what this address says."""
_UNLESS_GIVEN: dict[str, str | int | None] = {
    # After a failover a list of hosts holds one that takes writes, and every process of this product writes. A primary
    # that takes none for now, since its disk is full, still answers who only reads.
    "target_session_attrs": "primary",
    # An empty value keeps PGOPTIONS out.
    "options": "",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_UNSPOKEN_DEFAULTS = {
    "sslcertmode": "allow",
    "require_auth": "scram-sha-256",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}
"""Of what libpq takes no empty value for."""


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
    closed = _in_the_environments_stead() if given.get("application_name") == EMBEDDED else {}
    parameters = {**closed, **_UNLESS_GIVEN, **given, **ours}
    return make_conninfo("", **parameters)


def _in_the_environments_stead() -> dict[str, str | int | None]:
    """A value for everything that libpq found there, such as PGHOSTADDR or PGSSLMODE: what it has without.

    Only PGSERVICE can't be answered for; infrastructure/settings.py drops it.
    """
    found = [option for option in Conninfo.get_defaults() if option.envvar and option.val != option.compiled]
    return {
        keyword: _UNSPOKEN_DEFAULTS.get(keyword, (option.compiled or b"").decode())
        for option in found
        if (keyword := option.keyword.decode()) != "service"
    }
