"""The servers that several contracts are run against."""

from collections.abc import Iterator

import pytest

from tests.simulated_providers import SimulatedProviders


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatedProviders]:
    """The AI providers' stand-in."""
    with SimulatedProviders() as running:
        yield running
