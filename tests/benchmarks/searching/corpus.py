"""Documents that are made up: words as frequent as in a language, and fields that each filter lets most documents through."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, product

from infrastructure.ports.search import IndexedDocument

TYPES = ("contract", "invoice", "letter", "report")
INDUSTRIES = ("consulting", "energy", "finance", "legal", "technology")
LANGUAGES, LANGUAGE_WEIGHTS = ("en", "de", "fr"), (70, 20, 10)
MEDIA_TYPES = ("application/pdf", "text/html", "text/plain")
TAGS = tuple(f"subject-{number}" for number in range(20))
REVIEWED = "reviewed"
REVIEWED_SHARE = 0.85
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 1_000
FEWEST_WORDS, MOST_WORDS = 80, 160
TITLE_WORDS = 4
PAGES = 40
AT_ONCE = 500

_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu", "ter", "lon")
WORDS = tuple(map("".join, product(_SYLLABLES, repeat=3)))
"""The most frequent first."""
_CUMULATED = tuple(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))


def batches(prefix: str, count: int) -> Iterator[Sequence[IndexedDocument]]:
    """The same documents each time."""
    dice = random.Random(prefix)
    for start in range(0, count, AT_ONCE):
        yield [_document(dice, f"{prefix}-{number}") for number in range(start, min(start + AT_ONCE, count))]


def documents(prefix: str, count: int) -> list[IndexedDocument]:
    return [document for batch in batches(prefix, count) for document in batch]


def _document(dice: random.Random, document_id: str) -> IndexedDocument:
    words = dice.choices(WORDS, cum_weights=_CUMULATED, k=dice.randint(FEWEST_WORDS, MOST_WORDS))
    created = FIRST_DAY + timedelta(days=dice.randrange(DAYS), seconds=dice.randrange(86_400))
    tags = dice.sample(TAGS, 3)
    return IndexedDocument(
        document_id=document_id,
        version=1,
        title=" ".join(words[:TITLE_WORDS]),
        text=" ".join(words[TITLE_WORDS:]),
        document_type=dice.choice(TYPES),
        industry=dice.choice(INDUSTRIES),
        language=dice.choices(LANGUAGES, LANGUAGE_WEIGHTS)[0],
        tags=(*tags, REVIEWED) if dice.random() < REVIEWED_SHARE else tuple(tags),
        created_at=created,
        updated_at=created + timedelta(days=dice.randrange(DAYS)),
        media_type=dice.choice(MEDIA_TYPES),
        pages=dice.randint(1, PAGES),
    )
