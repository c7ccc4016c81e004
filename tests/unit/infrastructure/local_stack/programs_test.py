"""What the local stack consists of."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infrastructure.local_stack.files.state_dir import Home
from infrastructure.local_stack.programs import Ports, choose_ports, process_specs, urls
from infrastructure.local_stack.servers.loopback import LOOPBACK, PortTaken, free_port
from infrastructure.settings import Settings
from schemas.catalogue import queues

PORTS = Ports(
    api=8000,
    api_metrics=8999,
    flower=5555,
    dispatcher=9000,
    workers={queue: 9001 + n for n, queue in enumerate(queues())},
)
SHARED = {"DATABASE_URL": "postgresql://postgres:secret@127.0.0.1/postgres", "API_PORT": "8000"}


def test_every_pool_has_a_worker_with_a_log_and_a_metrics_port_of_its_own(tmp_path: Path) -> None:
    specs = process_specs(Settings(), PORTS, SHARED, Home(tmp_path))
    workers = {spec.name: spec for spec in specs if spec.name.startswith("worker ")}

    assert set(workers) == {f"worker {queue}" for queue in queues()}
    assert len({spec.log for spec in specs}) == len(specs)
    assert workers["worker ai"].environment["METRICS_PORT"] == str(PORTS.workers["ai"])
    assert workers["worker ai"].log == tmp_path / "logs" / "worker-ai.log"


def test_settings_travel_in_the_environment_and_never_in_the_arguments(tmp_path: Path) -> None:
    for spec in process_specs(Settings(), PORTS, SHARED, Home(tmp_path)):
        assert spec.environment["DATABASE_URL"] == SHARED["DATABASE_URL"]
        assert "secret" not in " ".join(spec.arguments)


def test_a_worker_may_finish_its_jobs_before_it_is_killed(tmp_path: Path) -> None:
    specs = process_specs(Settings(grace_seconds=60), PORTS, SHARED, Home(tmp_path))

    assert all(spec.grace_seconds > 60 for spec in specs if spec.name.startswith("worker "))


def test_a_default_port_that_is_taken_is_replaced_by_the_next_and_said_so() -> None:
    said: list[str] = []
    with _taken_port() as taken:
        nothing_given = Settings.model_construct(_fields_set=set(), api_port=taken, flower_port=taken)
        ports = choose_ports(nothing_given, said.append)

    assert taken < ports.api < ports.flower
    assert said == [
        f"port {taken} is taken: API is on {ports.api} (API_PORT chooses another)",
        f"port {taken} is taken: Flower is on {ports.flower} (FLOWER_PORT chooses another)",
    ]


@pytest.mark.parametrize("name", ["api", "flower"])
def test_a_port_that_was_given_and_is_taken_is_an_error_that_names_it(name: str) -> None:
    with _taken_port() as taken:
        given = Settings.model_validate({f"{name}_port": taken})
        with pytest.raises(PortTaken, match=f"{name.upper()}_PORT={taken}, and port {taken} of 127.0.0.1 is taken"):
            choose_ports(given, lambda _: None)


def test_a_given_port_is_kept_whoever_else_prefers_it() -> None:
    port = free_port()
    flowers = Settings.model_construct(_fields_set={"flower_port"}, api_port=port, flower_port=port)

    ports = choose_ports(flowers, lambda _: None)

    assert ports.flower == port < ports.api


def test_one_port_for_two_is_refused() -> None:
    port = free_port()

    with pytest.raises(PortTaken, match=f"API_PORT={port} and FLOWER_PORT={port} name the same port"):
        choose_ports(Settings(api_port=port, flower_port=port), lambda _: None)


def test_addresses_are_ones_that_can_be_opened_even_when_a_server_listens_everywhere() -> None:
    found = urls(Settings(api_host="0.0.0.0"), PORTS)

    assert found["api"] == "http://127.0.0.1:8000"
    assert found["docs"] == "http://127.0.0.1:8000/docs"
    assert found["metrics api"] == f"http://127.0.0.1:{PORTS.api_metrics}/metrics"
    assert found["metrics worker keys"] == f"http://127.0.0.1:{PORTS.workers['keys']}/metrics"


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, free_port()))
        listener.listen()
        yield listener.getsockname()[1]
