"""Folders for the local stack's data: made, checked for room, and opened to the user a server runs as."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infrastructure.local_stack.supervisor.processes import PartFailed, User

ROOM_BYTES = 300_000_000
"""What PostgreSQL, Redis and the logs need to begin with."""
POSTGRES_USER = "pgserver"
PASS_THROUGH = stat.S_IXOTH


def usable(folder: Path) -> Path:
    """The folder, made if need be, with its links resolved. PartFailed when it can't be written or its disk is full."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        resolved = folder.resolve(strict=True)
        room = shutil.disk_usage(resolved).free
    except OSError as error:
        raise PartFailed(
            f"{folder} can't be made ({error.strerror}): choose another place with BUCATINI_HOME"
        ) from None
    if not os.access(resolved, os.R_OK | os.W_OK | os.X_OK):
        raise PartFailed(f"{folder} can't be written by this user: choose another place with BUCATINI_HOME")
    if room < ROOM_BYTES:
        raise PartFailed(
            f"{folder} is on a disk with {room // 1_000_000} MB left, and {ROOM_BYTES // 1_000_000} MB are needed: "
            "free some, or choose another place with BUCATINI_HOME"
        )
    return resolved


def unprivileged_user() -> User | None:
    """Who PostgreSQL runs as: it refuses root. None when we aren't root and it can run as ourselves."""
    if os.geteuid() != 0:
        return None
    entry = _known(POSTGRES_USER) or _made(POSTGRES_USER)
    if entry is None:
        raise PartFailed(
            f"PostgreSQL refuses to run as root, and a user for it can't be made here: run `useradd {POSTGRES_USER}`, "
            "or run this as another user"
        )
    return User(entry.pw_uid, entry.pw_gid)


def _known(user_name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user_name)
    except KeyError:
        return None


def _made(user_name: str) -> pwd.struct_passwd | None:
    with suppress(OSError):
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", user_name]
        subprocess.run(command, capture_output=True, check=False)
    return _known(user_name)


def open_way_to(folder: Path, report: Callable[[str], None]) -> None:
    """Lets other users pass through to a folder, without letting them look around on the way."""
    closed = [above for above in (folder, *folder.parents) if not above.stat().st_mode & PASS_THROUGH]
    for above in closed:
        above.chmod(stat.S_IMODE(above.stat().st_mode) | PASS_THROUGH)
    if closed:
        names = ", ".join(map(str, closed))
        report(
            f"PostgreSQL refuses root and runs as {POSTGRES_USER}, so users may now pass through {names} (chmod o+x)"
        )


def open_for_reading(tree: Path) -> None:
    """Lets other users read and run what is in a folder of programs, where the umask kept them from it."""
    if all(path.stat().st_mode & stat.S_IROTH for path in (tree, *tree.iterdir())):
        return
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
