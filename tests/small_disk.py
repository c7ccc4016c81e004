"""A disk of its own that a test may fill to the last byte."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CHUNK_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """Mounted where `folder` is. It holds `bytes`, in memory."""

    folder: Path

    def fill(self) -> None:
        """Leaves no room for a single block."""
        with self._ballast.open("ab", buffering=0) as ballast:
            size = CHUNK_BYTES
            while size:
                try:
                    ballast.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Skips the test where this user may mount nothing."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
        problem = mounted.stderr.strip() if mounted.returncode else ""
    except OSError as error:
        problem = str(error)
    if problem:
        message = (
            f"no disk can be mounted to be filled ({problem}): run this as root, in a container with CAP_SYS_ADMIN"
        )
        pytest.skip(message)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
