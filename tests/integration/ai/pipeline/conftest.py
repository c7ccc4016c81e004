"""What calls of models are tested with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infrastructure.settings import Settings
from tests.model_calls import new_key, settings_for
from tests.simulated_providers import SimulatedProviders


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatedProviders]:
    """Shared by tests that have keys of their own: whoever changes its pace or limits starts another."""
    with SimulatedProviders() as providers:
        yield providers


@pytest.fixture
def own_simulator() -> Iterator[SimulatedProviders]:
    """For a test that changes more than one key's share."""
    with SimulatedProviders() as providers:
        yield providers


@pytest.fixture
def key() -> SecretStr:
    return new_key()


@pytest.fixture
def settings(
    database_url: str, redis_url: str, tmp_path: Path, simulator: SimulatedProviders, key: SecretStr
) -> Settings:
    return settings_for(database_url, redis_url, tmp_path, simulator.url, key)
