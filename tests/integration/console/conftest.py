"""A browser for the console's tests, and what they search in."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.browser import Browser, chromium
from tests.integration.search.catalogue import OFTEN, Catalogue, catalogue
from tests.integration.serving import World
from tests.system import System


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with (
        TemporaryDirectory(prefix="bucatini-chromium-", ignore_cleanup_errors=True) as folder,
        chromium(Path(folder)) as one,
    ):
        yield one


@pytest.fixture
def shelf(system: System, served: World) -> Iterator[Catalogue]:
    """A tenant with a running search pool."""
    system.dispatcher(**OFTEN)
    system.start("workers.runtime", "search", **OFTEN)
    with catalogue(system, served) as running:
        yield running
