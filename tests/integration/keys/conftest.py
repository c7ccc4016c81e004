"""A tenant for each test, in a home that the tests share."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from infrastructure.settings import Settings, load
from tests.integration.keys.sealing_tenant import Tenant, a_tenant


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, because making a master key takes a second."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def settings(database_url: str, home: Path) -> Settings:
    return load({"DATABASE_URL": database_url, "BUCATINI_HOME": str(home)})


@pytest.fixture
async def tenant(settings: Settings) -> AsyncIterator[Tenant]:
    async with a_tenant(settings, uuid4()) as tenant:
        yield tenant
