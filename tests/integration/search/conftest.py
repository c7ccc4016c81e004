"""A tenant with a running search pool."""

from collections.abc import Iterator

import pytest

from tests.integration.search.catalogue import OFTEN, Catalogue, catalogue
from tests.integration.serving import World
from tests.system import System


@pytest.fixture
def shelf(system: System, served: World) -> Iterator[Catalogue]:
    system.dispatcher(**OFTEN)
    system.start("workers.runtime", "search", **OFTEN)
    with catalogue(system, served) as running:
        yield running
