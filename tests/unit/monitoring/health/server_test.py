"""`/metrics` and `/healthz` of a worker or dispatcher, asked over HTTP."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from monitoring.health.server import PortUnavailable, serve
from tests.waiting import wait_until


@pytest.fixture
def well() -> dict[str, bool]:
    return {"well": True}


@pytest.fixture
def url(well: dict[str, bool]) -> Iterator[str]:
    with serve(0, faults=lambda: () if well["well"] else ("the loop 'sweep' has stalled",)) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_metrics_are_served_in_prometheus_format(url: str) -> None:
    answer = httpx.get(f"{url}/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "bucatini_sweeps_total" in answer.text


def test_health_follows_the_process(url: str, well: dict[str, bool]) -> None:
    assert httpx.get(f"{url}/healthz").status_code == 200
    well["well"] = False
    unwell = httpx.get(f"{url}/healthz")
    assert (unwell.status_code, "'sweep' has stalled" in unwell.text) == (503, True)
    well["well"] = True
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_a_health_check_that_fails_counts_as_unwell() -> None:
    def broken() -> tuple[str, ...]:
        raise RuntimeError("a secret")

    with serve(0, faults=broken) as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/healthz")

    assert answer.status_code == 503
    assert "a secret" not in answer.text


def test_nothing_else_is_served(url: str) -> None:
    assert httpx.get(f"{url}/").status_code == 404
    assert httpx.post(f"{url}/metrics").status_code == 501


def test_clients_that_say_nothing_keep_nobody_out_for_long_and_take_few_threads(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    threads_before = threading.active_count()
    threads: list[int] = []

    def answers() -> bool:
        threads.append(threading.active_count())
        return _answers(f"{url}/healthz")

    silent = [socket.create_connection((host, int(port))) for _ in range(40)]
    try:
        wait_until(answers, "the silent connections are dropped")
    finally:
        for connection in silent:
            connection.close()

    assert max(threads) - threads_before <= 16


def test_a_port_that_is_taken_is_told_with_what_to_do(url: str) -> None:
    port = int(url.rpartition(":")[2])

    with pytest.raises(PortUnavailable, match=r"EADDRINUSE.*METRICS_PORT"):
        serve(port, faults=tuple)


def test_a_closed_server_frees_its_port() -> None:
    with serve(0, faults=tuple) as first:
        pass
    first.close()
    with serve(first.port, faults=tuple) as second:
        assert second.port == first.port


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0).status_code == 200
    except httpx.TransportError:
        return False
