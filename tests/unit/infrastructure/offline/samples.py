"""The documents in `samples/`, and what the offline model finds in a text, as tests read them."""

from functools import cache
from pathlib import Path

from infrastructure.offline.answering.facts import facts_answer
from workers.ai.processing.facts import FoundFacts, found_facts

FOLDER = Path(__file__).parents[4] / "samples"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".md", ".txt"})


@cache
def sample(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def facts_in(text: str, language: str) -> FoundFacts:
    """As the offline model answers, and as a job reads the answer."""
    return found_facts(facts_answer(text, language), text, language)
