"""Breakers, reservations and health work where Redis is a cluster, which refuses commands whose keys lie apart."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from infrastructure.ports.ai.breakers import Gate
from infrastructure.ports.ai.budgets import Budget
from infrastructure.ports.ai.errors import Failure, Overloaded
from infrastructure.ports.ai.reservations import OverBudget, Reserved
from infrastructure.ports.ai.response import Allowance, RateLimits
from infrastructure.redis import client
from infrastructure.redis.models.breakers import SharedBreakers
from infrastructure.redis.models.health import ProviderHealth, SharedHealth
from infrastructure.redis.models.reservations import RedisReservations
from infrastructure.redis.models.status import models_status
from tests.integration.models.spending import Book, demand
from tests.redis_modes import Cluster, redis_cluster

MODEL = ("openai", "gpt-6-luna")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with redis_cluster(tmp_path / "redis") as running:
        yield running


@pytest.mark.anyio
async def test_all_of_it_works_in_a_cluster(cluster: Cluster) -> None:
    redis = client.connect(cluster.url)
    breakers, reservations = SharedBreakers(redis), RedisReservations(redis, Book(Budget(day=Decimal("0.015"))))
    try:
        assert (await breakers.admit(*MODEL)).gate is Gate.CLOSED
        await breakers.failed(await breakers.admit(*MODEL), Overloaded("no", Failure(*MODEL)))
        await reservations.observe("openai", "deployment", RateLimits(requests=Allowance(600, 600, 0.0)))
        first = demand("0.01")
        assert isinstance(await reservations.reserve(first), Reserved)
        assert isinstance(await reservations.reserve(demand("0.01")), OverBudget)
        await reservations.settle(first, input_tokens=1, output_tokens=1, dollars=Decimal("0.001"))
        assert await SharedHealth(redis).may_check()
        await SharedHealth(redis).write({"openai": ProviderHealth(keyed=True, ok=True)})

        status = await models_status(redis, {"openai": "deployment"}, [MODEL], now=0)
    finally:
        await redis.aclose()
    assert status.breakers[MODEL].failures == 1
    assert status.health["openai"].ok
    assert status.limits["openai"].requests is not None
    with cluster.holder().client() as directly:
        assert all(key.startswith("{bucatini}:") for key in directly.keys("*"))
