"""A way to the ingress whose connections break."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.integration.serving import World

Cut = Callable[[int], int | None]
"""After how many bytes of answer the connection with this number breaks; None: never."""


@contextmanager
def broken_way(world: World, cut: Cut) -> Iterator[str]:
    """The address of a way to the ingress whose connections break as told, after the request has gone through."""
    with socket.create_server(("127.0.0.1", 0)) as entrance:
        threading.Thread(target=_serve, args=(entrance, world.port, cut), daemon=True).start()
        yield f"http://127.0.0.1:{entrance.getsockname()[1]}"


def _serve(entrance: socket.socket, port: int, cut: Cut) -> None:
    number = 0
    while True:
        try:
            client, _ = entrance.accept()
        except OSError:
            return
        ingress = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_carry, args=(client, ingress, None), daemon=True).start()
        threading.Thread(target=_carry, args=(ingress, client, cut(number)), daemon=True).start()
        number += 1


def _carry(source: socket.socket, target: socket.socket, most: int | None) -> None:
    """Carries bytes until one side ends or enough have come; then both sides are gone."""
    carried = 0
    with suppress(OSError):
        while chunk := source.recv(4_096):
            if most is not None and carried + len(chunk) > most:
                target.sendall(chunk[: most - carried])
                break
            target.sendall(chunk)
            carried += len(chunk)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
