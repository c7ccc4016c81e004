"""A tenant whose calls of models are written down."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.settings import Settings, load
from tests.integration.ai.recording import Recording, a_recording
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
async def recording(settings: Settings) -> AsyncIterator[Recording]:
    async with a_recording(settings, make_tenant(settings.database)) as recording:
        yield recording
