"""What documents are written with in tests."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

from tests.integration.ai.generation.writers import Writers
from tests.simulated_providers import SimulatedProviders
from tests.system import System


@pytest.fixture
def writers(system: System) -> Iterator[Writers]:
    """With a simulator of its own, whose pace it may change."""
    with SimulatedProviders() as simulator:
        yield Writers(system, simulator, SecretStr(f"sk-test-{uuid4().hex}"))
