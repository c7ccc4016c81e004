"""Two tenants of one ingress."""

from collections.abc import Iterator

import pytest

from tests.integration.prompts.shelf import Prompts
from tests.integration.serving import World


@pytest.fixture
def prompts(world: World) -> Iterator[Prompts]:
    with world.http(world.tenant("ai:read", "ai:write", "jobs:write", "jobs:read", "jobs:read_content")) as client:
        yield Prompts(client)


@pytest.fixture
def others(world: World) -> Iterator[Prompts]:
    with world.http(world.tenant("ai:read", "ai:write", "jobs:write")) as client:
        yield Prompts(client)
