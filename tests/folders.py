"""Folders that other processes write while a test looks."""

import os
from pathlib import Path


def files_under(folder: Path) -> list[Path]:
    """All files, however deep, but no links. A folder that goes meanwhile has none: `Path.rglob` would raise."""
    found = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    return [file for file in found if file.is_file() and not file.is_symlink()]
