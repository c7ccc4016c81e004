"""The running ingress, for the tests that talk to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infrastructure.settings import Settings
from tests.integration.serving import World
from tests.system import System


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        bucatini_home=tmp_path,
        max_body_bytes=100_000,
    )


@pytest.fixture
def world(api_settings: Settings) -> Iterator[World]:
    """An ingress on a fresh database and an empty Redis."""
    with World(api_settings) as running:
        yield running


@pytest.fixture
def served(system: System) -> Iterator[World]:
    """The ingress of the system that the test starts workers of."""
    with World(system.settings) as world:
        yield world
