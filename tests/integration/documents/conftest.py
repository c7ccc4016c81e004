"""A tenant with documents, for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.settings import Settings, load
from tests.integration.documents.library import Library, a_library
from tests.tenancy import make_tenant


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
async def library(settings: Settings) -> AsyncIterator[Library]:
    async with a_library(settings, make_tenant(settings.database)) as library:
        yield library
