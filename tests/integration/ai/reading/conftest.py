"""Models that read: the real pipeline in front of the provider simulator, whose answers a test writes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infrastructure.settings import Settings
from tests.integration.ai.reading.readers import Reader
from tests.model_calls import new_key, settings_for
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from workers.ai.resources import resources


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatedProviders]:
    with SimulatedProviders() as providers:
        yield providers


@pytest.fixture
def key() -> SecretStr:
    return new_key()


@pytest.fixture
def settings(database_url: str, redis_url: str, home: Path, simulator: SimulatedProviders, key: SecretStr) -> Settings:
    return settings_for(database_url, redis_url, home, simulator.url, key, cpu_processes=1)


@pytest.fixture
async def reader(settings: Settings, simulator: SimulatedProviders, key: SecretStr) -> AsyncIterator[Reader]:
    tenant_id = make_tenant(settings.database)
    async with resources(settings) as shared:
        yield Reader(shared, simulator, key, tenant_id)
