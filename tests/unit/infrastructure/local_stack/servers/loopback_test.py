"""Which ports the stack takes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infrastructure.local_stack.servers.loopback import (
    LOOPBACK,
    NEXT_PORTS,
    OUR_PORTS,
    NoFreePort,
    answers,
    free_port,
    is_free,
    port_from,
)


@contextmanager
def _listening(port: int = 0) -> Iterator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_passed_over_for_the_next_free_one() -> None:
    with _listening(free_port()) as taken:
        assert taken < port_from(taken) < taken + NEXT_PORTS


def test_a_port_promised_to_another_part_is_passed_over_too() -> None:
    port = free_port()

    assert port_from(port, besides=frozenset({port})) > port


def test_a_port_is_free_again_as_soon_as_its_server_has_ended() -> None:
    with _listening(free_port()) as port, socket.create_connection((LOOPBACK, port)):
        assert not is_free(port)

    assert is_free(port)


def test_any_free_port_lies_where_no_outgoing_connection_can_take_it_meanwhile() -> None:
    assert free_port() in OUR_PORTS
    assert port_from(0) in OUR_PORTS


def test_when_no_port_is_left_the_message_names_those_that_were_tried() -> None:
    with pytest.raises(NoFreePort, match="ports 65535 to"):
        port_from(65_535, besides=frozenset({65_535}))


def test_a_server_that_says_nothing_does_not_count_as_answering() -> None:
    assert not answers(free_port(), "/readyz")
