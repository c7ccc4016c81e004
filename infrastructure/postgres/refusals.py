"""PostgreSQL's errors as sentences that tell an operator what to do."""

import time
from dataclasses import dataclass

import psycopg

from infrastructure.postgres.address import Unfit
from schemas.health import Condition, PartState

REMEMBERED_SECONDS = 5.0
"""How long a refused statement counts in this process's readiness."""

REASONS = {
    "25006": "PostgreSQL takes no writes: it is a standby or default_transaction_read_only is on; let DATABASE_URL name "
    "the primary",
    "53100": "PostgreSQL's disk is full: free some space there",
    "53200": "PostgreSQL is out of memory: see its log",
    "53300": "PostgreSQL has no connection left: raise its max_connections, or run fewer processes",
    "57014": "PostgreSQL took longer for a statement than it may: see what it is busy with in pg_stat_activity",
    "57P01": "PostgreSQL ended the connection: it is being shut down, or an operator did it",
    "57P02": "PostgreSQL crashed and recovers",
    "57P03": "PostgreSQL is starting, recovering or shutting down: it answers once that is done",
    "57P04": "PostgreSQL's database was dropped: see DATABASE_URL",
    "57P05": "PostgreSQL ended an idle connection: see its idle_session_timeout",
    "58030": "PostgreSQL can't read or write its files: see its log",
    "28000": "PostgreSQL refuses the user in DATABASE_URL: see its pg_hba.conf",
    "28P01": "PostgreSQL refuses the password in DATABASE_URL",
    "3D000": "PostgreSQL has no such database as DATABASE_URL names: create it, then run `bucatini migrate`",
}
UNREACHABLE = "PostgreSQL can't be reached"
_AT_CONNECTING = {
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "too many connections": "53300",
    "No space left on device": "53100",
    "starting up": "57P03",
    "shutting down": "57P03",
    "recovery mode": "57P03",
    "not accepting connections": "57P03",
    "password authentication failed": "28P01",
    "no pg_hba.conf entry": "28000",
    'role "': "28000",
    'database "': "3D000",
}
"""libpq gives no code with a refused connection, only a message."""
_SILENT = frozenset({"08000", "08001", "08003", "08004", "08006"})


@dataclass(slots=True)
class _Last:
    reason: str = ""
    at: float = -REMEMBERED_SECONDS


_last = _Last()


def code_of(error: BaseException) -> str:
    """The error's SQLSTATE; empty when it is unknown."""
    if not isinstance(error, psycopg.Error):
        return ""
    if error.sqlstate:
        return str(error.sqlstate)
    words = str(error)
    return next((code for phrase, code in _AT_CONNECTING.items() if phrase in words), "")


def reason(error: BaseException) -> str:
    """A sentence for the error. It quotes no statement and no value."""
    if isinstance(error, Unfit):
        return str(error)
    code = code_of(error)
    if code in REASONS:
        return REASONS[code]
    return f"PostgreSQL failed ({code}): see its log" if code and code not in _SILENT else UNREACHABLE


def condition(error: BaseException) -> Condition:
    """PostgreSQL's condition by this error: degraded when it refuses, failed when it is unreachable."""
    code = code_of(error)
    gone = not code or code in _SILENT or code.startswith(("57P", "28", "3D"))
    return Condition(PartState.FAILED if gone else PartState.DEGRADED, reason(error))


def note(error: BaseException) -> str:
    """Returns the reason and remembers it for `lately`: a probe may succeed where the work was refused."""
    found = condition(error)
    if found.state is PartState.DEGRADED:
        _last.reason, _last.at = found.reason, time.monotonic()
    return found.reason


def lately() -> Condition:
    """The condition by what this process's work was refused in the last REMEMBERED_SECONDS."""
    if time.monotonic() - _last.at > REMEMBERED_SECONDS:
        return Condition()
    return Condition(PartState.DEGRADED, _last.reason)
