"""A real PgBouncer before a test's PostgreSQL, where one is installed."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.local_stack.servers.postgres_data import SUPERUSER
from infrastructure.local_stack.supervisor.processes import Program, Running, User
from tests.waiting import GUARD_SECONDS

SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def pgbouncer() -> str:
    """Its program. Skips the test where there is none; under CI that is a failure."""
    found = which("pgbouncer", path=SEARCHED)
    if found is None:
        lacking = "no PgBouncer is installed: `apt-get install pgbouncer`, or whatever installs packages here"
        if os.environ.get("CI"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    return found


@contextmanager
def pooler(database_url: str, mode: str, **settings: object) -> Iterator[str]:
    """The address of the same database behind a PgBouncer that pools so. It's stopped at the end."""
    program = pgbouncer()
    with TemporaryDirectory(prefix="bucatini-pooler-") as place:
        folder, port = Path(place), free_port()
        # Its addresses are plain ones, so it takes the loopback that the embedded server has beside its socket.
        server = conninfo_to_dict(database_url)
        user, database, password = str(server["user"]), str(server["dbname"]), str(server["password"])
        _write(folder / "users.txt", f'"{user}" "{password}"\n')
        given = {
            "listen_addr": LOOPBACK,
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": folder / "users.txt",
            "pool_mode": mode,
            "default_pool_size": 100,
            "max_client_conn": 500,
            **settings,
        }
        lines = [f"{name} = {value}" for name, value in given.items()]
        target = f"host={LOOPBACK} port={server['port']} dbname={database}"
        _write(folder / "pooler.ini", "\n".join(["[databases]", f"{database} = {target}", "[pgbouncer]", *lines, ""]))
        running = Running(
            Program(
                name="pgbouncer",
                argv=(program, str(folder / "pooler.ini")),
                log=folder / "pooler.log",
                environment={"LC_ALL": "C", "PATH": os.defpath},
                user=_somebody(folder),
            )
        )
        try:
            running.await_ready(lambda: _listens(port), within_seconds=GUARD_SECONDS)
            yield f"postgresql://{SUPERUSER}:{quote(password, safe='')}@{LOOPBACK}:{port}/{database}"
        finally:
            running.kill()


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)


def _somebody(folder: Path) -> User | None:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return None
    folder.chmod(0o755)
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
