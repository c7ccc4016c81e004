"""Anybody can see which providers and models can be called, and why others can't."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.model_registry.registry import load
from infrastructure.ports.ai.errors import Failure, Overloaded
from infrastructure.ports.ai.response import Allowance, RateLimits
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import Redis
from infrastructure.redis.models.breakers import SharedBreakers
from infrastructure.redis.models.health import LEASE, SharedHealth
from infrastructure.redis.models.reservations import RedisReservations
from infrastructure.wiring import keyed_providers, model_providers
from producers.client import AsyncBucatini
from tests.integration.ai.recording import Recording
from tests.integration.models.spending import Book
from tests.integration.serving import Tenant, World
from tests.model_calls import OnTheLoop
from tests.simulated_providers import SimulatedProviders
from workers.ai.provider_health import HealthChecks

pytestmark = pytest.mark.anyio
PATH = "/api/ai/providers/status"
LUNA = ("openai", "gpt-6-luna")


@pytest.fixture
async def redis(world: World) -> AsyncIterator[Redis]:
    connected = redis_client.connect(world.settings.redis)
    yield connected
    await connected.aclose()


def status_of(world: World, tenant: Tenant, provider: str, path: str = PATH) -> Any:
    with world.http(tenant) as http:
        answer = http.get(path)
    assert answer.status_code == 200, answer.text
    (found,) = [one for one in answer.json()["providers"] if one["provider"] == provider]
    return found


def model_in(provider: Any, model: str) -> Any:
    (found,) = [one for one in provider["models"] if one["model"] == model]
    return found


def test_without_a_key_a_provider_says_what_to_do_and_offline_needs_none(world: World, tenant: Tenant) -> None:
    openai = status_of(world, tenant, "openai")
    assert (openai["state"], openai["key"]) == ("without_key", "none")
    assert "OPENAI_API_KEY" in openai["detail"]
    assert model_in(openai, "gpt-6-luna")["input_usd_per_million_tokens"] == "0.1"
    offline = status_of(world, tenant, "offline", "/api/ai/providers/health")
    assert (offline["state"], offline["key"]) == ("ready", "not_needed")


async def test_an_open_breaker_is_shown_until_it_closes(world: World, tenant: Tenant, redis: Redis) -> None:
    with world.http(tenant) as http:
        http.put("/api/ai/credentials/openai", json={"key": "sk-test-0123456789abcdefWXYZ"}).raise_for_status()
    breakers = SharedBreakers(redis)
    for _ in range(5):
        await breakers.failed(await breakers.admit(*LUNA), Overloaded("no", Failure(*LUNA)))

    openai = status_of(world, tenant, "openai")

    assert (openai["state"], openai["key"]) == ("degraded", "tenant")
    assert "gpt-6-luna" in openai["detail"]
    luna = model_in(openai, "gpt-6-luna")
    assert (luna["breaker"], luna["failures"], luna["last_error"]) == ("open", 5, "overload")
    assert datetime.fromisoformat(luna["retry_at"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert model_in(openai, "gpt-6.1-sol")["breaker"] == "closed"


async def test_what_is_left_of_the_limits_and_how_calls_went(
    world: World, tenant: Tenant, redis: Redis, recording: Recording
) -> None:
    limits = RateLimits(requests=Allowance(600, 100, 50.0))
    await RedisReservations(redis, Book()).observe("openai", "deployment", limits)
    for milliseconds in (100.0, 200.0, 300.0):
        await recording.attempt("0.1", model=LUNA[1], end_total_ms=milliseconds, end_first_token_ms=50.0)
    await recording.attempt(None, model=LUNA[1], end_outcome="throttle", end_total_ms=5.0)

    openai = status_of(world, tenant, "openai")

    (requests,) = openai["allowances"]
    assert (requests["name"], requests["limit"]) == ("requests", 600)
    assert 100 <= requests["remaining"] < 600
    luna = model_in(openai, "gpt-6-luna")
    assert luna["last_error"] == "throttle"
    latencies = luna["latencies"]
    assert (latencies["calls"], latencies["p50_ms"], latencies["first_token_p50_ms"]) == (4, 200.0, 50.0)
    assert status_of(world, world.tenant(), "openai")["models"][0]["latencies"]["calls"] == 0, "another tenant's"


async def test_free_calls_show_who_is_well_and_who_is_away(world: World, tenant: Tenant, redis: Redis) -> None:
    registry = load()
    with SimulatedProviders() as simulator:
        settings = world.settings.model_copy(
            update={
                "openai_api_key": SecretStr("sk-test-0123456789"),
                "openai_base_url": f"{simulator.url}/v1",
                "anthropic_api_key": SecretStr("sk-test-0123456789"),
                "anthropic_base_url": "http://127.0.0.1:9",
            }
        )
        async with model_providers(settings, registry, OnTheLoop()) as providers:
            checks = [
                HealthChecks(providers, keyed_providers(settings, registry), SharedHealth(redis)) for _ in range(2)
            ]
            await checks[0].check()
            openai, anthropic = (status_of(world, tenant, name) for name in ("openai", "anthropic"))
            assert (openai["state"], openai["key"]) == ("ready", "deployment")
            assert openai["check_age_seconds"] < 60
            assert anthropic["state"] == "unavailable"
            assert "anthropic" in anthropic["detail"]

            before = openai["checked_at"]
            await checks[1].check()
            assert status_of(world, tenant, "openai")["checked_at"] == before, "one worker at a time checks"
            assert await redis.pttl(LEASE) <= 30_000


async def test_the_client_has_it_typed(world: World, tenant: Tenant) -> None:
    async with AsyncBucatini(world.url, tenant.key) as bucatini:
        status = await bucatini.ai.providers()
    assert {"openai", "anthropic", "offline"} <= {one.provider for one in status.providers}


def test_while_redis_is_away_it_says_so_and_shows_the_rest(world: World) -> None:
    # A port where nobody listens.
    apart = world.settings.model_copy(
        update={"redis_url": SecretStr("redis://127.0.0.1:9/0"), "openai_api_key": SecretStr("sk-any")}
    )
    with World(apart) as alone:
        found = status_of(alone, alone.tenant(), "openai")
    assert found["state"] == "degraded"
    assert "isn't known now" in found["detail"]
    assert model_in(found, "gpt-6-luna")["max_output_tokens"] > 0
