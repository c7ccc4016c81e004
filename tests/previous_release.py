"""The release before this one, as it was: its files from the repository's history, to run beside ours."""

import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest

from tests.system import ROOT

REVISION: Final = "82fc37bde4e65bb5c3df49edad9ba6fb3bf5331c"
"""The last commit of the release before. Move it on when one is made; whom tables serve is said in their migrations."""
FOLDERS = (
    "api",
    "bucatini",
    "events",
    "infrastructure",
    "kinds",
    "monitoring",
    "producers",
    "schemas",
    "tests",
    "workers",
)


def unpack(folder: Path) -> Path:
    """The folder with its files. Skips the test, with the reason, where the history can't be had."""
    if (git := shutil.which("git")) is None:
        pytest.skip("the release before is taken from the history, and git isn't here: apt-get install git")
    command = [git, "archive", "--format=tar", REVISION, *FOLDERS]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        why = archive.stderr.decode(errors="replace").strip().partition("\n")[0]
        pytest.skip(f"the release before isn't in this copy's history ({why}): git fetch --unshallow")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder
