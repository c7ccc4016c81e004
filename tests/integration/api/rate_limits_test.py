"""Rate limits hold over several processes, with Redis and without."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from api.rate_limits import WINDOW_SECONDS
from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.settings import Settings
from schemas.problems import Problem
from tests.integration.serving import Tenant, World
from tests.integration.websockets import watcher
from tests.waiting import GUARD_SECONDS, wait_until

LIMIT = 200
SLACK = 60
"""What two busy processes may admit between two exchanges, on a slow machine."""


@pytest.fixture
def limited(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"tenant_requests_per_minute": LIMIT, "key_requests_per_minute": LIMIT})


def test_two_processes_hold_one_limit(limited: Settings) -> None:
    with World(limited) as world, _another_process(limited) as url:
        tenant = world.tenant()
        second = world.another_key(tenant.id, "jobs:read")
        began = time.monotonic()
        with ThreadPoolExecutor(2) as threads:
            asking = [
                threads.submit(_ask, world.url, tenant, LIMIT),
                threads.submit(_ask, url, second, LIMIT),
            ]
            statuses = sum((one.result(timeout=GUARD_SECONDS) for one in asking), Counter[int]())
        assert statuses.keys() == {200, 429}
        assert LIMIT <= statuses[200] <= LIMIT + SLACK + _became_free_since(began)
        assert _ask(world.url, world.tenant(), 5) == {200: 5}


def test_a_refusal_says_why_and_when_to_try_again(limited: Settings) -> None:
    with World(limited.model_copy(update={"key_requests_per_minute": 2})) as world:
        tenant = world.tenant()
        with world.http(tenant) as http:
            first = http.get("/api/jobs/not-an-id")
            second = http.post("/api/ai/process-document", json={"title": 1})
            refused = http.get("/api/jobs")
            open_to_all = http.get("/healthz")
        with pytest.raises(InvalidStatus) as handshake, watcher(world, tenant):
            pass
        with watcher(world) as watching:
            watching.say(authenticate=tenant.key)
            assert watching.closed()[0] == 4429

    assert (first.status_code, first.headers["ratelimit-remaining"]) == (404, "1")
    assert (second.status_code, second.headers["ratelimit-remaining"]) == (422, "0")
    assert refused.status_code == handshake.value.response.status_code == 429
    assert Problem.model_validate_json(refused.content).name == "too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert refused.headers["ratelimit"].startswith('"key";r=0;t=')
    assert refused.headers["ratelimit-policy"] == f'"tenant";q={LIMIT};w=60, "key";q=2;w=60'
    assert "ratelimit" not in open_to_all.headers


def test_without_redis_each_process_holds_the_limit_by_itself(limited: Settings) -> None:
    with World(limited.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})) as world:
        began = time.monotonic()
        statuses = _ask(world.url, world.tenant(), LIMIT + 50)

    assert statuses.keys() == {200, 429}
    assert LIMIT <= statuses[200] <= LIMIT + _became_free_since(began)


def _became_free_since(began: float) -> float:
    """How many more the sliding minute lets in while a slow machine asks."""
    return 1 + LIMIT * (time.monotonic() - began) / WINDOW_SECONDS


def _ask(url: str, tenant: Tenant, times: int) -> Counter[int]:
    with httpx.Client(base_url=url, headers=tenant.headers, timeout=30, trust_env=False) as http:
        return Counter(http.get("/api/jobs?limit=1").status_code for _ in range(times))


@contextmanager
def _another_process(settings: Settings) -> Iterator[str]:
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "DATABASE_URL": settings.database,
        "REDIS_URL": settings.redis,
        "BUCATINI_HOME": str(settings.bucatini_home / "second"),
        "API_PORT": str(port),
        "TENANT_REQUESTS_PER_MINUTE": str(settings.tenant_requests_per_minute),
        "KEY_REQUESTS_PER_MINUTE": str(settings.key_requests_per_minute),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], env=environment, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _alive(url), "the other process serves")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=GUARD_SECONDS)


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
