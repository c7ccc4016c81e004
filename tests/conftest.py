"""The servers that tests stand on: started once, real, on free loopback ports with their data in a temporary folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psutil
import psycopg
import pytest
import redis
from psycopg import sql

from infrastructure.local_stack.servers import loopback
from infrastructure.local_stack.servers.postgres import PostgresServer, postgres_server
from infrastructure.local_stack.servers.redis import RedisServer, redis_server
from infrastructure.postgres.migration import migrate
from tests.system import System

pytest_plugins = ["tests.side_by_side", "tests.elasticsearch.fixtures"]

TEMPLATE = "bucatini_template"
MEMORY = Path("/dev/shm")
PREFIX = "bucatini-tests-"
ROOM_BYTES = 8_000_000_000
"""What the servers of all processes may write together: the longest test leaves them a gigabyte each."""


@pytest.fixture(scope="session", autouse=True)
def ports_of_our_own() -> Iterator[None]:
    """Of the free ports each of the run's processes takes its own share: two that look at the same moment find the same one
    free, and a server that a test starts again finds its port as it left it."""
    from tests.side_by_side import MAX_PROCESSES  # Here, since pytest rewrites a plugin when it imports it itself.

    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MAX_PROCESSES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loopback, "OUR_PORTS", loopback.OUR_PORTS[number::MAX_PROCESSES])
        yield


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Not one of pytest's own folders: a second pytest closes those to the system user PostgreSQL runs as under root."""
    # In memory where there is room: on a disk a database for each test costs ten times as much.
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    if in_memory:
        _remove_what_killed_runs_left()
    place = MEMORY if in_memory else None
    with TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove_what_killed_runs_left() -> None:
    """Memory that nobody would ever give back: on a disk the system sees to it."""
    for folder in MEMORY.glob(f"{PREFIX}*-*"):
        if not psutil.pid_exists(int(folder.name.split("-")[2])):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """One server for the session, with a migrated database to copy. A test that kills it starts it again."""
    with postgres_server(server_folder / "postgres") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            # No test cuts the machine's power, and a killed server's writes are in the kernel's hands.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        migrate(server.url_of(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def redis_process(server_folder: Path) -> Iterator[RedisServer]:
    with redis_server(server_folder / "redis") as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    copy = create.format(sql.Identifier(name), sql.Identifier(TEMPLATE))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(copy)
    yield postgres.url_of(name)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def redis_url(redis_process: RedisServer) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(redis_process.url) as client:
        client.flushall()
    return redis_process.url


@pytest.fixture
def system(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[System]:
    """A whole system to submit to, whose processes the test starts, kills and inspects."""
    with System(database_url, redis_url, tmp_path) as running:
        yield running
