"""The embedded servers through ends, crashes and what earlier runs left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.local_stack.servers.postgres import PostgresServer, postgres_server
from infrastructure.local_stack.servers.redis import RedisServer, redis_server
from infrastructure.local_stack.supervisor.processes import PartFailed
from infrastructure.postgres.fitness import why_tables_unfit
from infrastructure.postgres.migration import migrate
from tests.waiting import wait_until


def _value(server: PostgresServer) -> int:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_postgres_keeps_its_data_and_its_address_through_an_ordered_end_and_a_crash(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        url = server.url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")

        for end in (server.stop, server.kill):
            end()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(url, connect_timeout=2)
            server.start()

            assert _value(server) == 7
            assert server.url == url


def test_postgres_starts_although_backends_of_its_killed_self_still_work(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        busy = threading.Thread(target=_keep_busy, args=(server.url,))
        busy.start()
        with psycopg.connect(server.url, autocommit=True) as connection:
            wait_until(
                lambda: connection.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO %'").fetchone(),
                "a backend is busy",
            )
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: server.exit_code is not None, "the postmaster is gone")

        server.start()

        busy.join(timeout=30)
        assert not busy.is_alive()


def _keep_busy(url: str) -> None:
    # It counts without looking up, as a backend in a long computation does, and it gives up by itself.
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '20s'")
        try:
            connection.execute("DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$")
        except psycopg.Error:
            return


def test_postgres_that_an_earlier_run_left_running_is_stopped_and_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    with postgres_server(tmp_path) as earlier:
        later = PostgresServer(tmp_path, report=told.append)
        later.start()

        assert earlier.exit_code == 0, "it was stopped in order"
        assert told == [f"PostgreSQL of an earlier run (process {earlier.pid}) was still running and is stopped"]
        later.stop()


def test_postgres_is_not_taken_in_by_a_stranger_with_the_number_of_its_earlier_self(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        pid_file = tmp_path / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        server.kill()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        (tmp_path / "process.json").unlink()

        server.start()

        assert server.exit_code is None


def test_postgres_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://postgres:guess@127.0.0.1:{server.port}/postgres")
        assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert server.pid is not None
        assert (tmp_path / "password").read_text() not in " ".join(psutil.Process(server.pid).cmdline())


def test_postgres_is_reached_through_a_socket_in_a_folder_that_only_its_owner_enters(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server, psycopg.connect(server.url) as connection:
        assert connection.info.host == str(tmp_path / "data")
        assert connection.info.hostaddr == ""


@pytest.mark.parametrize("name", ["long" * 30, "one,two", 'a "quoted" one'])
def test_postgres_is_reached_on_loopback_where_a_socket_can_not_have_its_folders_path(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    with postgres_server(tmp_path / name) as server, psycopg.connect(server.url) as connection:
        assert connection.info.host == "127.0.0.1"


@pytest.mark.parametrize("name", ["with space", "50%", "für alle", "it's"])
def test_postgres_is_reached_through_its_socket_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with postgres_server(tmp_path / name) as server:
        migrate(server.url)
        with psycopg.connect(server.url_of("postgres")) as connection:
            assert connection.info.host == str(tmp_path / name / "data")


def test_tables_are_made_at_an_address_as_libpq_takes_it(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        folder = quote(str(tmp_path / "data"), safe="")
        migrate(server.url.partition("@")[0] + f"@127.0.0.1:1,{folder}:{server.port}/postgres")

        assert asyncio.run(why_tables_unfit(server.url)) == ""


def test_postgres_logs_nothing_of_what_a_failing_statement_says(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE once (value text PRIMARY KEY)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO once VALUES ('confidential'), ('confidential')")

        assert "confidential" not in server.log.read_text()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("PG_VERSION", "16\n", "was made by PostgreSQL 16, and this is 18: move it away"),
        ("letter.txt", "Dear Anna", "holds no PostgreSQL data: move it away"),
    ],
)
def test_postgres_leaves_a_folder_alone_that_is_not_its_own(
    tmp_path: Path, file: str, content: str, message: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_text(content)

    with pytest.raises(PartFailed, match=message):
        PostgresServer(tmp_path).start()

    assert (tmp_path / "data" / file).read_text() == content


def test_redis_keeps_what_it_was_told_through_an_ordered_end_and_its_address_through_a_crash(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        url = server.url
        with redis.Redis.from_url(url) as client:
            client.set("doorbell", "rung")

        server.stop()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("doorbell") == b"rung"

        server.kill()
        server.empty()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("doorbell") is None
        assert server.url == url


def test_redis_refuses_instead_of_forgetting_and_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with (
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        assert server.pid is not None
        assert (tmp_path / "password").read_text() not in " ".join(psutil.Process(server.pid).cmdline())
        assert (tmp_path / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_redis_that_an_earlier_run_left_running_is_stopped(tmp_path: Path) -> None:
    with redis_server(tmp_path) as earlier:
        later = RedisServer(tmp_path)
        later.start()

        assert earlier.exit_code == 0
        later.stop()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ties a process to its parent; elsewhere the next start cleans up"
)
def test_no_server_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import pathlib, time
from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.local_stack.servers.redis import RedisServer
servers = [PostgresServer(pathlib.Path({str(tmp_path)!r}) / "p"), RedisServer(pathlib.Path({str(tmp_path)!r}) / "r")]
for server in servers:
    server.start()
print(*[server.pid for server in servers], flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()

    wait_until(lambda: all(_gone(pid) for pid in pids), f"servers {pids} have ended")
    with postgres_server(tmp_path / "p") as server:
        assert server.exit_code is None
