"""What is asked: pages with ten filters, six facets and snippets, and the short searches that people repeat."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from schemas.search import FacetField, Filters, Period, SearchQuery, Span
from tests.benchmarks.searching.corpus import (
    DAYS,
    FIRST_DAY,
    INDUSTRIES,
    LANGUAGES,
    MEDIA_TYPES,
    PAGES,
    REVIEWED,
    TAGS,
    TYPES,
    WORDS,
)

COMMON = WORDS[15:60]
"""Words that every ninth to every second document has: two of them together still fill a page behind ten filters."""
HITS = 10
SNIPPET_CHARACTERS = 160
FEWEST_CHARACTERS = 400
FACETS = tuple(FacetField)
REPEATED = 500
"""Different searches that a mix has."""
ZIPF_EXPONENT = 1.1


@dataclass(frozen=True, slots=True)
class Question:
    """A full page, before it is put in anybody's words."""

    words: tuple[str, str]
    document_types: Sequence[str]
    industries: Sequence[str]
    languages: Sequence[str]
    any_tags: Sequence[str]
    media_types: Sequence[str]
    tag: str
    created_since: datetime
    updated_before: datetime
    characters_at_least: int
    pages_below: int

    @property
    def as_sent(self) -> str:
        """As a program sends it to the product: JSON."""
        return SearchQuery(
            text=" ".join(self.words),
            filters=Filters(
                document_types=tuple(self.document_types),
                industries=tuple(self.industries),
                languages=tuple(self.languages),
                any_tags=tuple(self.any_tags),
                media_types=tuple(self.media_types),
                tags=(self.tag,),
                created=Period(since=self.created_since),
                updated=Period(before=self.updated_before),
                characters=Span(at_least=self.characters_at_least),
                pages=Span(below=self.pages_below),
            ),
            facets=FACETS,
            limit=HITS,
            snippet_characters=SNIPPET_CHARACTERS,
        ).model_dump_json(exclude_defaults=True)


def questions(seed: object) -> Iterator[Question]:
    """Ever different ones, the same for the same seed."""
    dice = random.Random(str(seed))
    while True:
        first, second = dice.sample(COMMON, 2)
        yield Question(
            words=(first, second),
            document_types=dice.sample(TYPES, 3),
            industries=dice.sample(INDUSTRIES, 4),
            languages=LANGUAGES[:2],
            any_tags=dice.sample(TAGS, 10),
            media_types=dice.sample(MEDIA_TYPES, 2),
            tag=REVIEWED,
            created_since=FIRST_DAY + timedelta(days=dice.randrange(DAYS // 5)),
            updated_before=FIRST_DAY + timedelta(days=2 * DAYS - dice.randrange(DAYS // 2)),
            characters_at_least=FEWEST_CHARACTERS + dice.randrange(50),
            pages_below=PAGES - dice.randrange(10),
        )


def repeated(seed: object, count: int) -> Iterator[SearchQuery]:
    """What people look for again and again: few searches often, and many seldom."""
    dice = random.Random(str(seed))
    different = [
        SearchQuery(
            text=" ".join(dice.sample(COMMON, 2)),
            filters=Filters(document_types=(dice.choice(TYPES),)),
            facets=(FacetField.INDUSTRY,),
        )
        for _ in range(REPEATED)
    ]
    weights = tuple(accumulate(rank**-ZIPF_EXPONENT for rank in range(1, REPEATED + 1)))
    yield from dice.choices(different, cum_weights=weights, k=count)
