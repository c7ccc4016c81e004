"""What the Python client raises and how soon, and what it does until then."""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from events.keys import KeysRotated
from infrastructure.local_stack.servers.loopback import free_port
from producers.client import (
    AsyncBucatini,
    Bucatini,
    BucatiniError,
    Misconfigured,
    ProblemAnswer,
    RequestTimeout,
    ResultTimeout,
    Unreachable,
)
from schemas.api_keys import NewApiKey, Scope
from schemas.keys import RotateKeys
from tests.integration.client.broken_way import broken_way
from tests.integration.serving import World
from tests.waiting import wait_until

SOON_SECONDS = 10.0
ROTATED = KeysRotated(old_version=1, new_version=2, rows_reencrypted=3, conflicts=0)


@pytest.fixture
def nobody() -> str:
    """The address of a server that is down."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    "call",
    [
        lambda bucatini: bucatini.submit(RotateKeys()),
        lambda bucatini: bucatini.jobs.wait("0199"),
        lambda bucatini: next(bucatini.events.follow()),
        lambda bucatini: next(bucatini.events.watch(types=["*"])),
        lambda bucatini: next(bucatini.groups.subscribe("*", group="billing")),
    ],
)
def test_a_server_that_is_down_is_said_soon(nobody: str, call: Callable[[Bucatini], Any]) -> None:
    with Bucatini(nobody, "bct_key") as bucatini:
        began_at = time.monotonic()
        with pytest.raises(Unreachable, match="no connection"):
            call(bucatini)

    assert time.monotonic() - began_at < SOON_SECONDS


def test_the_async_client_says_it_as_soon(nobody: str) -> None:
    async def ask() -> None:
        async with AsyncBucatini(nobody, "bct_key") as bucatini:
            async with asyncio.timeout(SOON_SECONDS):
                await bucatini.submit(RotateKeys())

    with pytest.raises(Unreachable, match="no connection"):
        asyncio.run(ask())


def test_who_waits_for_a_result_waits_through_a_restart_of_the_ingress(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as bucatini, ThreadPoolExecutor(1) as threads:
        job = bucatini.submit(RotateKeys())
        result = threads.submit(job.result, timeout_seconds=60)
        wait_until(lambda: world.under_way > 0, "the result is waited for")
        world.stop()
        world.start()
        world.succeed(job.id, ROTATED.model_dump(mode="json"))

        assert result.result(timeout=60) == ROTATED


def test_a_silent_server_is_a_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Bucatini(f"http://127.0.0.1:{silent.getsockname()[1]}", "bct_key", timeout_seconds=0.2) as bucatini,
        pytest.raises(TimeoutError) as caught,
    ):
        bucatini.keys.list()

    assert isinstance(caught.value, RequestTimeout)


def test_what_isnt_safe_to_repeat_isnt(world: World) -> None:
    tenant = world.tenant()
    wanted = NewApiKey(name="billing", scopes=(Scope.JOBS_READ,))
    with (
        broken_way(world, lambda number: 0) as url,
        Bucatini(url, tenant.key) as bucatini,
        pytest.raises(Unreachable, match="look before you repeat it"),
    ):
        bucatini.api_keys.create(wanted)

    with Bucatini(world.url, tenant.key) as direct:
        assert [one.name for one in direct.api_keys.list()] == ["billing", "test"]


def test_every_error_is_one_and_says_what_it_is_about(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as bucatini:
        job = bucatini.submit(RotateKeys())
        with pytest.raises(ResultTimeout) as timeout:
            job.result(timeout_seconds=0)
        job.cancel()
        job.replay()
        with pytest.raises(ProblemAnswer) as refused:
            job.replay()

    assert isinstance(timeout.value, BucatiniError)
    assert isinstance(timeout.value, TimeoutError)
    assert timeout.value.job_id == refused.value.job_id == job.id
    assert refused.value.status == refused.value.problem.status == 409
    assert refused.value.request_id


def test_address_and_key_are_read_from_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCATINI_URL", world.url)
    monkeypatch.setenv("BUCATINI_API_KEY", world.tenant().key)
    with Bucatini() as bucatini:
        assert bucatini.health.alive().status == "ok"
        assert list(bucatini.jobs.list()) == []
    monkeypatch.delenv("BUCATINI_API_KEY")
    with pytest.raises(Misconfigured, match="set BUCATINI_API_KEY"):
        Bucatini()
    monkeypatch.delenv("BUCATINI_URL")
    with pytest.raises(Misconfigured, match="set BUCATINI_URL"):
        Bucatini(api_key="bct_key")
