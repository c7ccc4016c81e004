"""Becomes another program that can't outlive the process which started it. A script, run by its path.

    python -I -S parent_death.py DEATH_SIGNAL PARENT UID:GID PROGRAM ARGUMENT…

The kernel sends DEATH_SIGNAL when the *thread* that started this one ends, and drops that setting when the user
changes. A program of its own does this, since no process with threads may run Python between fork and exec.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
KEEP_USER = "-"


def main(death_signal: str, parent: str, user: str, *program: str) -> None:
    # Opened before the user changes: the new one may not be let near this Python's own files.
    libc = ctypes.CDLL(None, use_errno=True)
    if user != KEEP_USER:
        _become(*map(int, user.split(":")))
    if sys.platform == "linux" and int(death_signal):
        _die_with_parent(libc, int(death_signal), int(parent))
    os.execv(program[0], program)  # noqa: S606  # the point of it: no shell, the same process


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _die_with_parent(libc: ctypes.CDLL, death_signal: int, parent: int) -> None:
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0):
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended already")


if __name__ == "__main__":
    main(*sys.argv[1:])
