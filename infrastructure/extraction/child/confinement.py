"""Takes from a child what reading a document doesn't need: the network, programs, new files, memory without end."""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

from infrastructure.extraction.limits import ExtractionLimits

MAX_OPEN_FILES = 64

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_libc = ctypes.CDLL(None, use_errno=True)

# Linux's numbers of: socket, connect, bind, listen, accept, accept4, fork, vfork, clone, clone3, execve, execveat, ptrace,
# kill, process_vm_readv, process_vm_writev, pidfd_getfd, io_uring_setup. The socket it has stays usable.
_DENIED = {
    "x86_64": (0xC000003E, (41, 42, 49, 50, 43, 288, 57, 58, 56, 435, 59, 322, 101, 62, 310, 311, 438, 425)),
    "aarch64": (0xC00000B7, (198, 203, 200, 201, 202, 242, 220, 435, 221, 281, 117, 129, 270, 271, 438, 425)),
}
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_GREATER, _RETURN = 0x20, 0x15, 0x25, 0x06
_ALLOW, _KILL, _PERMISSION_DENIED = 0x7FFF0000, 0x80000000, 0x00050000 | 1
_OTHER_ABI = 0x3FFFFFFF
"""Numbers above it are x86_64's second set for the same calls."""


def confine(limits: ExtractionLimits, parent: int) -> None:
    """For the rest of this process's life. `parent` is the process it must not outlive."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _limit(resource.RLIMIT_AS, _mapped_bytes() + limits.memory_bytes)
        # No core, and no other process of this user looks into a tenant's document.
        _prctl(_PR_SET_DUMPABLE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    if sys.platform == "linux" and platform.machine() in _DENIED:
        _deny_calls(*_DENIED[platform.machine()])


def allow_time(limits: ExtractionLimits) -> None:
    """Until `stop_clock`. What goes over it ends the process by SIGALRM or SIGXCPU, wherever it is, native code too."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)


def stop_clock() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _mapped_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # one read, in each child
        return int(file.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int, more: object = 0) -> bool:
    return bool(_libc.prctl(option, ctypes.c_ulong(value), more, 0, 0) == 0)


def _deny_calls(architecture: int, numbers: tuple[int, ...]) -> None:
    """A seccomp filter (https://docs.kernel.org/userspace-api/seccomp_filter.html). A kernel without it leaves the
    other limits, which hold by themselves."""
    denied = len(numbers) + 1  # instructions from the first of the comparisons to the last line
    code = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the call's number
        (_JUMP_IF_GREATER, denied, 0, _OTHER_ABI),
        *((_JUMP_IF_EQUAL, denied - 1 - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _PERMISSION_DENIED),
    ]
    instructions = b"".join(struct.pack("HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(buffer)))
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)
