"""Each store in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.ports.objects import ObjectStore
from tests.contracts.object_store.stores import StoreAdapter, UnderTest, files, s3


@pytest.fixture(params=[files, s3], ids=["files", "s3"])
def under_test(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UnderTest]:
    adapter: StoreAdapter = request.param
    with adapter(tmp_path) as made:
        yield made


@pytest.fixture
def objects(under_test: UnderTest) -> ObjectStore:
    return under_test.store
