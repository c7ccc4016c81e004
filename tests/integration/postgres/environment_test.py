"""Whatever libpq, Python or the database itself was told by others, text is kept as it came and tables are found."""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import Conninfo

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.postgres.address import EMBEDDED
from infrastructure.postgres.migration import migrate
from infrastructure.postgres.session import Connection, PostgresSession, Role
from infrastructure.settings import Settings
from tests.forked import Ended, run
from tests.integration.local_stack.up_test import Terminal
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.system import ROOT
from tests.waiting import wait_until

TITLE = "Grüße aus Łódź, 10 €, 文書"
SESSION_VARIABLES = {
    "PGCLIENTENCODING": "LATIN1",
    "PGOPTIONS": "-c search_path=nowhere -c default_transaction_read_only=on",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "German",
    "PGAPPNAME": "another",
}
ADDRESS_VARIABLES = {
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGHOST": "203.0.113.1",
    "PGHOSTADDR": "203.0.113.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "nowhere",
    "PGSERVICE": "nowhere",
    "PGPASSFILE": "/nowhere",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLROOTCERT": "/nowhere",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGMINPROTOCOLVERSION": "3.2",
}
PYTHON_VARIABLES = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "ignore",
    "PYTHONSAFEPATH": "1",
}
ODD_SETTINGS = {
    "search_path": "nowhere",
    "client_encoding": "LATIN1",
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "default_transaction_isolation": "serializable",
    "row_security": "off",
    "synchronous_commit": "off",
    "idle_session_timeout": "50ms",
}
OLD_SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bucatini %'
  AND state = 'idle' AND state_change < now() - interval '0.2 s'
"""


@pytest.fixture
def other_encoding(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database that isn't UTF-8."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING {} TEMPLATE template0 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
            ).format(sql.Identifier(name), request.param)
        )
        yield postgres.url_of(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("other_encoding", ["LATIN1", "SQL_ASCII"], indirect=True)
@pytest.mark.parametrize(
    "process",
    [
        ("producers.cli", "migrate"),
        ("producers.cli", "doctor"),
        ("producers.cli", "up", "--once"),
        ("producers.cli", "holds"),
        ("api",),
        ("workers.runtime", "ai"),
        ("producers.dispatcher",),
    ],
    ids=lambda argv: argv[-1],
)
def test_a_database_that_cannot_hold_every_text_is_refused(
    other_encoding: str, process: tuple[str, ...], redis_url: str, tmp_path: Path
) -> None:
    ended = _run(*process, DATABASE_URL=other_encoding, REDIS_URL=redis_url, BUCATINI_HOME=str(tmp_path))

    told = ended.stdout + ended.stderr
    assert ended.returncode not in (0, None)
    assert "ENCODING 'UTF8'" in told
    assert "Traceback" not in told


def test_what_libpq_is_told_by_the_environment_reaches_no_session(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(api_settings)
    for name, value in SESSION_VARIABLES.items():
        monkeypatch.setenv(name, value)
    _text_is_kept(world)


@pytest.mark.parametrize("whose", ["DATABASE", "ROLE"])
def test_what_the_database_or_its_owner_sets_reaches_no_session(api_settings: Settings, whose: str) -> None:
    world = World(api_settings)
    database = sql.Identifier(world.database.info.dbname)
    owner = sql.SQL("ROLE postgres IN DATABASE {}").format(database)
    changed = owner if whose == "ROLE" else sql.SQL("DATABASE {}").format(database)
    for setting, value in ODD_SETTINGS.items():
        world.database.execute(sql.SQL("ALTER {} SET {} = {}").format(changed, sql.SQL(setting), value))
    migrate(api_settings.database)
    _text_is_kept(world)


def test_the_embedded_database_is_reached_whatever_libpq_would_look_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in Conninfo.get_defaults():
        # What reads the settings drops PGSERVICE: the test of the whole stack has it.
        if option.envvar and option.keyword != b"service":
            monkeypatch.setenv(option.envvar.decode(), "nonsense")
    assert EMBEDDED in database_url

    async def ask() -> None:
        async with PostgresSession(database_url, Role.SYSTEM, "test") as session:
            assert await session.run(_echo) == TITLE

    asyncio.run(ask())
    monkeypatch.undo()


def test_a_stack_starts_and_keeps_text_among_other_peoples_variables(tmp_path: Path) -> None:
    terminal = Odd(tmp_path / "home")
    with terminal.up():
        doctor = terminal.run("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        submitted = terminal.run("submit", "ai.process_document", "--title", TITLE, "--set", "text=Ünïcode")
        assert submitted.returncode == 0, submitted.stderr
        with psycopg.connect(_address(terminal)) as connection:
            assert connection.execute("SELECT command ->> 'title', command ->> 'text' FROM jobs").fetchall() == [
                (TITLE, "Ünïcode")
            ]


class Odd(Terminal):
    """A shell full of what other projects need."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **SESSION_VARIABLES, **ADDRESS_VARIABLES, **PYTHON_VARIABLES}


def _address(terminal: Terminal) -> str:
    return str(json.loads((terminal.home / "local.json").read_bytes())["settings"]["database_url"])


def _text_is_kept(world: World) -> None:
    with world:
        tenant = world.tenant()
        with world.http(tenant) as http:
            answer = http.post(PROCESS, json={**DOCUMENT, "title": TITLE})
            assert answer.status_code == 202, answer.text
            wait_until(lambda: world.database.execute(OLD_SESSIONS).fetchone() != (0,), "a session stays though idle")
            told = http.get(f"/api/jobs/{answer.json()['id']}").json()
            assert datetime.fromisoformat(told["created_at"]).utcoffset() == timedelta(0)
            assert http.get("/readyz").json()["status"] == "ready"
        assert world.database.execute("SELECT command ->> 'title' FROM jobs").fetchall() == [(TITLE,)]


async def _echo(connection: Connection) -> str:
    row = await (await connection.execute("SELECT %s", (TITLE,))).fetchone()
    return "" if row is None else str(row[0])


def _run(*argv: str, **environment: str) -> Ended:
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return run(*argv, environment=known, folder=ROOT)
