"""Documents and questions for searches, the same in every run: words as frequent as those of a language, and fields as uneven."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from infrastructure.ports.search import IndexedDocument

TENANT: Final = UUID(int=1)
WORDS: Final = 20_000
WORDS_A_DOCUMENT: Final = 120
BATCH: Final = 1_000
TYPES: Final = ("contract", "lease", "invoice", "letter", "report", "offer", "minutes", "policy")
INDUSTRIES: Final = ("legal", "technology", "consulting", "finance", "health", "energy")
MEDIA_TYPES: Final = ("application/pdf", "text/plain", "text/html", "text/markdown")
TAGS: Final = tuple(f"tag{number}" for number in range(40))
SYLLABLES: Final = ("ba", "do", "ke", "li", "mu", "no", "ra", "si", "te", "vu", "wo", "xa", "zen", "por", "tal", "qui")
BEGINNING: Final = datetime(2022, 1, 1, tzinfo=UTC)
FULL_PAGE: Final[dict[str, Any]] = {
    "filters": {
        "document_types": list(TYPES[:6]),
        "industries": list(INDUSTRIES[:5]),
        "languages": ["en"],
        "any_tags": list(TAGS[:30]),
        "media_types": list(MEDIA_TYPES[:3]),
        "created": {"since": "2022-02-01T00:00:00Z"},
        "updated": {"since": "2022-02-01T00:00:00Z"},
        "characters": {"at_least": 100},
        "pages": {"at_least": 1, "below": 200},
        "has": ["industry"],
    },
    "facets": ["document_type", "industry", "language", "tags", "media_type", "created_at"],
    "limit": 10,
}
"""Ten filters, six facets, ten hits with snippets."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents that are made as they are asked for."""

    size: int
    seed: int = 1

    def documents(self, *, version: int = 1) -> Iterator[IndexedDocument]:
        random = Random(self.seed)  # The same for all, not hard to guess.
        words, weights = vocabulary(), _cumulated()
        for number in range(self.size):
            text = " ".join(random.choices(words, cum_weights=weights, k=WORDS_A_DOCUMENT))
            at = BEGINNING + timedelta(minutes=17 * number)
            yield IndexedDocument(
                document_id=f"d{number}",
                version=version,
                title=" ".join(random.choices(words, cum_weights=weights, k=6)),
                text=text,
                document_type=_uneven(random, TYPES),
                industry=_uneven(random, INDUSTRIES),
                language="en",
                tags=tuple(sorted({_uneven(random, TAGS), _uneven(random, TAGS)})),
                created_at=at,
                updated_at=at,
                media_type=_uneven(random, MEDIA_TYPES),
                pages=random.randrange(1, 40),
            )

    def batches(self) -> Iterator[Sequence[IndexedDocument]]:
        batch: list[IndexedDocument] = []
        for document in self.documents():
            batch.append(document)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def vocabulary() -> list[str]:
    random = Random(0)  # As above.
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(random.choices(SYLLABLES, k=random.randrange(2, 6)))] = None
    return list(words)


def questions(number: int, *, seed: int = 7) -> list[str]:
    """Two words each, common enough that a page fills, and hardly one question twice."""
    random = Random(seed)  # As above.
    common = vocabulary()[:150]
    return [" ".join(random.sample(common, 2)) for _ in range(number)]


def _cumulated() -> list[float]:
    """By Zipf's law, flattened at its top as a language's words are without those that say nothing."""
    total, sums = 0.0, []
    for rank in range(WORDS):
        total += 1.0 / (rank + 20)
        sums.append(total)
    return sums


def _uneven(random: Random, values: Sequence[str]) -> str:
    return values[min(int(random.expovariate(3.0) * len(values)), len(values) - 1)]
