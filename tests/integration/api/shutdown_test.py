"""An ingress is asked to stop while a server it needs says nothing any more: it stops all the same, and soon."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
from pydantic import SecretStr

from api.streams.hub import LOOK_SECONDS
from infrastructure.settings import Settings
from tests.integration.event_streams import await_subscribers, follow
from tests.integration.serving import World
from tests.silent_proxy import Gap
from tests.waiting import GUARD_SECONDS, wait_until

STOPPED_WITHIN_SECONDS = 15.0
"""On a busy machine; half of what requests under way are given."""


def test_a_silent_redis_holds_up_no_end(api_settings: Settings) -> None:
    with Gap(api_settings.redis) as gap, World(_through(gap, api_settings)) as world, _followed(world):
        tenant = world.tenant()
        world.submit(tenant)
        gap.swallow()
        world.submit(tenant)
        wait_until(lambda: gap.swallowed > 2, "what the process says is lost")
        took = _stopping(world)

    assert took < STOPPED_WITHIN_SECONDS


def test_a_silent_postgres_holds_up_no_end(world: World) -> None:
    frozen_at = time.monotonic()
    with _followed(world), _frozen(world):
        wait_until(lambda: time.monotonic() - frozen_at > 2 * LOOK_SECONDS, "it has asked for events and hears nothing")
        took = _stopping(world)

    assert took < STOPPED_WITHIN_SECONDS


def _through(gap: Gap, settings: Settings) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(gap.url)})


@contextmanager
def _followed(world: World) -> Iterator[None]:
    """Somebody follows all events, and so the ingress reads them."""

    def read() -> None:
        with suppress(httpx.HTTPError):
            list(follow(world, tenant, "/api/events"))

    tenant = world.tenant()
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        await_subscribers(world, 1)
        yield
        reading.result(timeout=GUARD_SECONDS)


@contextmanager
def _frozen(world: World) -> Iterator[None]:
    """The server's processes that serve the ingress hang; their connections stand."""
    found = world.database.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bucatini %'"
    ).fetchall()
    for (pid,) in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for (pid,) in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _stopping(world: World) -> float:
    """Seconds until it has stopped."""
    began = time.monotonic()
    world.stop()
    return time.monotonic() - began
