"""Makes generated code look as the linter and the formatter want it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

FIRST_PARTY: Final = 'lint.isort.known-first-party = ["events", "producers", "schemas"]'
"""Said, since files that aren't there yet aren't found."""
FIXES: Final = ("check", "--fix", "--unsafe-fixes", "--exit-zero", "--quiet", "--select", "I,F401,UP028")
FORMAT: Final = ("format",)


def tidied(text: str, file: Path) -> str:
    """As the linter and the formatter want it: lines that became shorter are joined, imports sorted and named once."""
    for command in ((*FIXES, "--config", FIRST_PARTY), FORMAT):
        run = (sys.executable, "-m", "ruff", *command, "--stdin-filename", str(file), "-")
        text = subprocess.run(run, input=text, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    return text
