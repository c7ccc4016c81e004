"""Folders that PostgreSQL gets into."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not one of pytest's own: a second pytest closes those to the system user PostgreSQL runs as under root."""
    with TemporaryDirectory(prefix="bucatini-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
