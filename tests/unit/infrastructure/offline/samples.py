"""The documents in `samples/`, as tests read them."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[4] / "samples"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".md", ".txt"})


@cache
def sample(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
