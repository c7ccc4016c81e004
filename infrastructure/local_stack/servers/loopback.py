"""Addresses on this machine: which ports are free, and whether something answers there."""

import errno
import http.client
import random
import socket

LOOPBACK = "127.0.0.1"
OUR_PORTS = range(15_000, 32_000)
"""Below the range that the system takes the ports of outgoing connections from. A server that is restarted on a port of
that range may find it taken, by its own waiting clients even: they can connect to themselves."""
NEXT_PORTS = 100


class NoFreePort(Exception):
    """Every port that was tried is taken. End what listens there, or name another one in the setting."""


class PortTaken(Exception):
    """A port that was given explicitly is in use. End what listens there, or give another one."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now. PermissionError's ports (below 1024) count as taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: what a just ended server's connections leave behind for a minute is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def free_port() -> int:
    """Some free port of this machine, for a server that is told where to listen."""
    for port in random.sample(OUR_PORTS, NEXT_PORTS):
        if is_free(port):
            return port
    raise NoFreePort(f"no free port among {NEXT_PORTS} tried from {OUR_PORTS.start} to {OUR_PORTS.stop}")


def port_from(preferred: int, host: str = LOOPBACK, *, besides: frozenset[int] = frozenset()) -> int:
    """The preferred port or the next free one after it; any free one for 0."""
    if preferred == 0:
        return free_port()
    for port in range(preferred, min(preferred + NEXT_PORTS, 65_536)):
        if port not in besides and is_free(port, host):
            return port
    raise NoFreePort(f"ports {preferred} to {preferred + NEXT_PORTS - 1} of {host} are all taken")


def answers(port: int, path: str, host: str = LOOPBACK) -> bool:
    """Whether an HTTP server there says 2xx to a GET of the path."""
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
