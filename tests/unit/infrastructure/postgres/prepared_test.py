"""Binary parameters round-trip, and a session stays usable after any failure."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres import binary
from infrastructure.postgres.prepared import Prepared, Rows, fetch, fetch_together
from infrastructure.postgres.session import Connection, PostgresSession, Role
from tests.conftest import TEMPLATE
from tests.waiting import wait_until

SOON_SECONDS = 30.0
EAST = timezone(timedelta(hours=5))
Story = Callable[[PostgresSession], Awaitable[None]]

ALL = Prepared(
    "all",
    """SELECT %(uuids)b::uuid[], %(smallints)b::int2[], %(ints)b::int4[], %(bigints)b::int8[], %(texts)b::text[],
    %(timestamps)b::timestamptz[], %(doubles)b::float8[], %(bigint)b::int8, %(double)b::float8,
    %(smallint)b::int2, %(timestamp)b::timestamptz""",
)
ECHO = Prepared("echo", "SELECT n FROM unnest(%(texts)b::text[]) AS t (n)")
DIVIDE = Prepared("divide", "SELECT 10 / %(bigint)b::int8")
KEEP = Prepared("keep", "INSERT INTO kept VALUES (%(bigint)b::int8) RETURNING n")
SLEEP = Prepared("sleep", "SELECT pg_sleep(%(double)b::float8)")

MOMENTS = st.timedeltas(timedelta(days=-1e5), timedelta(days=1e6)).map(
    lambda away: datetime(2100, 1, 1, tzinfo=EAST) + away
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def _tell(database_url: str, story: Story) -> None:
    async def told() -> None:
        async with asyncio.timeout(SOON_SECONDS), PostgresSession(database_url, Role.SYSTEM, "test") as session:
            await story(session)

    asyncio.run(told())


@pytest.fixture(scope="module")
def some_database(postgres: PostgresServer) -> Iterator[str]:
    """For all examples of a test, which write nothing."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE to_read TEMPLATE {TEMPLATE}")
    yield postgres.url_of("to_read")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE to_read WITH (FORCE)")


@settings(deadline=None, max_examples=50)
@given(
    uuids=st.lists(st.none() | st.uuids(), max_size=4),
    smallints=st.lists(st.integers(-(2**15), 2**15 - 1), max_size=4),
    ints=st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4),
    bigints=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    texts=st.lists(st.none() | TEXTS, max_size=4),
    timestamps=st.lists(st.none() | MOMENTS, max_size=4),
    doubles=st.lists(st.none() | st.floats(allow_nan=False), max_size=4),
    bigint=st.integers(-(2**63), 2**63 - 1),
    double=st.floats(allow_nan=False),
    smallint=st.integers(-(2**15), 2**15 - 1),
    timestamp=MOMENTS,
)
def test_what_is_written_is_what_postgresql_reads(some_database: str, **given: Any) -> None:
    async def story(session: PostgresSession) -> None:
        call = ALL(
            uuids=binary.uuids([None if one is None else one.bytes for one in given["uuids"]]),
            smallints=binary.smallints(given["smallints"]),
            ints=binary.ints(given["ints"]),
            bigints=binary.bigints([one.to_bytes(8, signed=True) for one in given["bigints"]]),
            texts=binary.texts(given["texts"]),
            timestamps=binary.timestamps(given["timestamps"]),
            doubles=binary.doubles(given["doubles"]),
            bigint=binary.bigint(given["bigint"]),
            double=binary.double(given["double"]),
            smallint=binary.smallint(given["smallint"]),
            timestamp=binary.timestamp(given["timestamp"]),
        )
        [row] = await session.run(lambda connection: fetch(connection, call))
        assert row == tuple(given.values())

    _tell(some_database, story)


async def _echo(connection: Connection, texts: list[str]) -> Rows:
    return await fetch(connection, ECHO(texts=binary.texts(texts)))


def test_each_answer_is_read_afresh(database_url: str) -> None:
    async def story(session: PostgresSession) -> None:
        for texts in (["a"], [], ["b", "c"], ["d"]):
            rows = await session.run(partial(_echo, texts=texts))
            assert rows == [(text,) for text in texts]

    _tell(database_url, story)


def test_more_than_a_sockets_buffer_is_sent_whole(database_url: str) -> None:
    async def story(session: PostgresSession) -> None:
        texts = [f"{n}" * 2_000 for n in range(2_000)]
        calls = [ECHO(texts=binary.texts(texts))] * 2
        answers = await session.run(lambda connection: fetch_together(connection, *calls))
        assert answers == [[(text,) for text in texts]] * 2

    _tell(database_url, story)


def test_statements_together_take_effect_together_or_not_at_all(database_url: str) -> None:
    keep = Prepared("keep", "INSERT INTO kettles SELECT n FROM unnest(%(texts)b::text[]) AS t (n) RETURNING name")

    async def story(session: PostgresSession) -> None:
        await session.run(lambda connection: connection.execute("CREATE TEMPORARY TABLE kettles (name text)"))

        async def kept_and_divided_by(count: int) -> list[Rows]:
            calls = keep(texts=binary.texts(["green"])), DIVIDE(bigint=binary.bigint(count))
            return await session.run(lambda connection: fetch_together(connection, *calls))

        with pytest.raises(Unstorable):
            await kept_and_divided_by(0)
        assert await kept_and_divided_by(5) == [[("green",)], [(2,)]]
        found = await session.run(lambda connection: connection.execute("SELECT name FROM kettles"))
        assert await found.fetchall() == [("green",)]

    _tell(database_url, story)


def test_a_statement_that_fails_leaves_the_session_as_it_was(database_url: str) -> None:
    async def story(session: PostgresSession) -> None:
        with pytest.raises(Unstorable):
            await session.run(lambda connection: fetch(connection, DIVIDE(bigint=binary.bigint(0))))
        assert await session.run(lambda connection: fetch(connection, DIVIDE(bigint=binary.bigint(2)))) == [(5,)]

    _tell(database_url, story)


@pytest.mark.parametrize("together", [1, 2])
def test_who_gives_up_leaves_a_line_that_can_be_used(database_url: str, together: int) -> None:
    async def story(session: PostgresSession) -> None:
        calls = [SLEEP(double=binary.double(60.0))] * together
        asking = asyncio.create_task(session.run(lambda connection: fetch_together(connection, *calls)))
        await asyncio.to_thread(wait_until, lambda: _asleep(database_url), "PostgreSQL is at it")
        asking.cancel()
        assert await session.run(lambda connection: fetch(connection, DIVIDE(bigint=binary.bigint(2)))) == [(5,)]
        assert asking.cancelled()

    _tell(database_url, story)


@pytest.mark.parametrize("together", [1, 2])
def test_a_session_that_is_ended_is_an_outage_and_the_next_one_knows_its_statements(
    database_url: str, together: int
) -> None:
    async def story(session: PostgresSession) -> None:
        calls = [DIVIDE(bigint=binary.bigint(2))] * together
        assert await session.run(lambda connection: fetch_together(connection, *calls)) == [[(5,)]] * together
        options = await session.run(_session)
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (options,))
        with pytest.raises(Unavailable):
            await session.run(lambda connection: fetch_together(connection, *calls))
        assert await session.run(lambda connection: fetch_together(connection, *calls)) == [[(5,)]] * together

    _tell(database_url, story)


async def _session(connection: Connection) -> int:
    return connection.info.backend_pid


def _asleep(database_url: str) -> bool:
    with psycopg.connect(database_url) as other:
        found = other.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        return found.fetchone() is not None


REFUSED = "RAISE 'the commit fails'", psycopg.errors.RaiseException
ENDED = "PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(10)", Unavailable


@pytest.mark.parametrize(("commit", "error"), [REFUSED, ENDED], ids=["refused", "session ended"])
@pytest.mark.parametrize("together", [1, 2])
def test_rows_of_a_commit_that_fails_are_given_to_nobody(
    database_url: str, together: int, commit: str, error: type[Exception]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE kept (n int8)")
        owner.execute("GRANT ALL ON kept TO bucatini_system")
        owner.execute(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {commit}; RETURN NULL; END $$"
        )
        owner.execute(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            "EXECUTE FUNCTION refuse()"
        )

    async def story(session: PostgresSession) -> None:
        calls = [KEEP(bigint=binary.bigint(1)) for _ in range(together)]
        with pytest.raises(error):
            await session.run(lambda connection: fetch_together(connection, *calls))
        assert await session.run(lambda connection: fetch(connection, ECHO(texts=binary.texts(["on"])))) == [("on",)]

    _tell(database_url, story)
