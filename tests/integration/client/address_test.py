"""The client and the command line reach the ingress directly, or say in a line which variable keeps them from it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.client import AsyncBucatini, Bucatini, Misconfigured
from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import Tenant, World


class Eavesdropper:
    """A proxy that notes what it is sent, and answers nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.heard = b""
        threading.Thread(target=self._listen, name="proxy", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard += connection.recv(4_096)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def proxy() -> Iterator[Eavesdropper]:
    listening = Eavesdropper()
    yield listening
    listening.close()


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


def test_no_key_for_this_machine_goes_through_a_proxy(
    world: World, tenant: Tenant, proxy: Eavesdropper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    job_id = world.submit(tenant)
    world.succeed(job_id, {"done": True})

    async def listed() -> int:
        async with AsyncBucatini(world.url, tenant.key) as client:
            return len([job async for job in client.jobs.list()])

    with Bucatini(world.url, tenant.key) as client:
        assert [job.id for job in client.jobs.list()] == [job_id]
        assert [event.type for event in client.events.watch([job_id])] == ["job.queued", "job.succeeded"]
    assert asyncio.run(listed()) == 1
    typed = Terminal(world, tenant, tmp_path, HTTP_PROXY=proxy.url, ALL_PROXY=proxy.url).type(
        "jobs", "list", "--output", "jsonl"
    )
    assert typed.returncode == 0, typed.stderr

    assert proxy.heard == b""


@pytest.mark.parametrize(
    "environment",
    [
        {"SSL_CERT_FILE": "/nowhere.pem"},
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"HTTP_PROXY": "carrier-pigeon://x"},
        {"BUCATINI_API_KEY": "{key}\n"},
    ],
)
def test_what_the_environment_says_of_the_world_outside_does_not_concern_this_machine(
    world: World, tenant: Tenant, tmp_path: Path, environment: dict[str, str]
) -> None:
    given = {name: value.format(key=tenant.key) for name, value in environment.items()}
    typed = Terminal(world, tenant, tmp_path, **given).type("jobs", "list")

    assert (typed.returncode, typed.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BUCATINI_URL": "localhost:8000"}, "BUCATINI_URL: 'localhost:8000' must begin with http:// or https://"),
        ({"BUCATINI_URL": "http://"}, "BUCATINI_URL: 'http://' names no host"),
        ({"BUCATINI_URL": "http://host:99999"}, "BUCATINI_URL: 'http://host:99999' can't be read"),
        ({"BUCATINI_API_KEY": "bct_one\nbct_two"}, "BUCATINI_API_KEY: the key has a line break"),
        (
            {"BUCATINI_URL": "https://bucatini.example", "SSL_CERT_FILE": "/nowhere.pem"},
            "SSL_CERT_FILE or SSL_CERT_DIR can't",
        ),
        ({"BUCATINI_URL": "https://bucatini.example", "ALL_PROXY": "socks5://127.0.0.1:9"}, "ALL_PROXY can't be used"),
        ({"BUCATINI_URL": "https://bucatini.example", "HTTPS_PROXY": "pigeon://x"}, "HTTPS_PROXY can't be used"),
    ],
)
def test_what_cant_be_used_is_said_at_once_in_one_line_that_names_the_variable(
    world: World, tenant: Tenant, tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    typed = Terminal(world, tenant, tmp_path, **environment).type("jobs", "list")

    assert typed.returncode == 2
    assert typed.stderr.startswith(f"bucatini: {said}")
    assert typed.stderr.count("\n") == 1


def test_the_client_itself_refuses_an_address_or_a_key_that_is_none() -> None:
    for url, key in (("localhost:8000", "bct_a"), ("http://localhost:8000", "two words"), ("ftp://x", "bct_a")):
        with pytest.raises(Misconfigured):
            Bucatini(url, key)
