"""A tenant of the served ingress, and what a worker writes down of its calls."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.ai.recording import Recording, a_recording
from tests.integration.serving import Tenant, World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
async def recording(world: World, tenant: Tenant) -> AsyncIterator[Recording]:
    async with a_recording(world.settings, tenant.id) as recording:
        yield recording
