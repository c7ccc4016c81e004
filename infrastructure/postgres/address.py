"""DATABASE_URL as libpq connection parameters, with ours added and the environment's kept out."""

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from infrastructure.ports import Unavailable

CONNECT_TIMEOUT_SECONDS = 5
EMBEDDED: Final = "bucatini-embedded"
"""The `application_name` in the embedded server's address: it marks an address to which nothing from the environment is
added."""
_UNLESS_GIVEN: dict[str, str | int | None] = {
    # After a failover one of several hosts takes writes, and every process of this product writes. "primary" and not
    # "read-write": a primary that takes no writes for now, since its disk is full, still serves reads.
    "target_session_attrs": "primary",
    # An empty value keeps PGOPTIONS out.
    "options": "",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_EXPLICIT_DEFAULTS = {
    "sslcertmode": "allow",
    "require_auth": "scram-sha-256",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}
"""The defaults of parameters for which libpq accepts no empty value."""


class Unfit(Unavailable):
    """This product can't work with this PostgreSQL, or with the pooler in front of it. The message says what to change.

    Waiting doesn't help, so a process that starts exits; one that meets it later treats it as an outage.
    """


def conninfo(database_url: str, name: str, *, connect_timeout_seconds: int = CONNECT_TIMEOUT_SECONDS) -> str:
    """The connection string for libpq. Unfit when the URL can't be parsed; the message doesn't quote it, since it holds
    a password."""
    try:
        given = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        raise Unfit("DATABASE_URL can't be read: write it as postgresql://user:password@host:5432/database") from None
    ours: dict[str, str | int | None] = {
        "client_encoding": "UTF8",
        "connect_timeout": connect_timeout_seconds,
        "application_name": f"bucatini {name}",
    }
    closed = _environment_overrides() if given.get("application_name") == EMBEDDED else {}
    parameters = {**closed, **_UNLESS_GIVEN, **given, **ours}
    return make_conninfo("", **parameters)


def _environment_overrides() -> dict[str, str | int | None]:
    """The default value of every parameter that the environment sets, such as PGHOSTADDR or PGSSLMODE.

    PGSERVICE can't be overridden by a parameter; infrastructure/settings.py drops it.
    """
    found = [option for option in Conninfo.get_defaults() if option.envvar and option.val != option.compiled]
    return {
        keyword: _EXPLICIT_DEFAULTS.get(keyword, (option.compiled or b"").decode())
        for option in found
        if (keyword := option.keyword.decode()) != "service"
    }
