"""One simulated adapter for a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulated_providers import ANTHROPIC, COMPATIBLE, OPENAI, Simulated, SimulatedProviders, simulated


@pytest.fixture(params=[OPENAI, ANTHROPIC, COMPATIBLE])
async def one(
    request: pytest.FixtureRequest, simulator: SimulatedProviders, tmp_path: Path
) -> AsyncIterator[Simulated]:
    """Each adapter in turn, with a key that nobody else has."""
    one = simulated(request.param, simulator.url, tmp_path)
    yield one
    await one.provider.close()
