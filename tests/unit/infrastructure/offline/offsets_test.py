"""Whatever is quoted stands where its offset says, in any text at all."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from events.ai import Quote
from infrastructure.offline.analysis.comparison import comparison_of
from infrastructure.offline.analysis.readability import readability_of
from infrastructure.offline.analysis.risk import risk_in
from infrastructure.offline.analysis.sentiment import sentiment_of
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.extraction.phrases import phrases_of
from infrastructure.offline.text.sentences import prose_in, sentences_in
from tests.unit.infrastructure.offline.samples import NAMES, facts_in, sample

LANGUAGES = ("en", "de", "fr", "und")
PIECES = (
    "Acme Ltd",
    "Öko Bau GmbH & Co. KG",
    "(the “Supplier”)",
    "(nachfolgend „Auftraggeber“ genannt)",
    "« le Client »",
    "“Fee” means all sums due",
    "Ann Lee",
    "between",
    "EUR 1,250.00",
    "3,5 Mio. EUR",
    "$4k",
    "14. März 2026",
    "04/05/2026",
    "March 2026",
    "shall indemnify",
    "not successful",
    "Vertragsstrafe",
    "tacite reconduction",
    "# Heading",
    "- item",
    "| a | b |",
    "…",
    "😀",
    "e\u0301",
    "İ",
    "ﬁ",
    "\r\n",
    "\u2028",
    "\x0b",
    "\t",
    "\n\n",
)
texts = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12),
    max_size=40,
).flatmap(lambda pieces: st.sampled_from((" ", "\n", "", ". ")).map(lambda glue: glue.join(pieces)))


def quotes(value: Any) -> Iterator[Quote]:
    if isinstance(value, Quote):
        yield value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from quotes(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from quotes(item)


def assert_quoted_exactly(text: str, found: Iterable[Quote]) -> None:
    for quote in found:
        assert text[quote.offset : quote.offset + len(quote.text)] == quote.text
        assert quote.text


def everything_in(text: str, language: str) -> tuple[object, ...]:
    prose = prose_in(text)
    return (
        facts_in(text, language),
        summary_of(prose, language),
        phrases_of(text, sentences_in(text), language),
        readability_of(prose, language),
        sentiment_of(prose, language),
        risk_in(text, sentences_in(text), language),
    )


@given(text=texts, language=st.sampled_from(LANGUAGES))
@settings(deadline=None, max_examples=150)
def test_every_quote_stands_at_its_offset(text: str, language: str) -> None:
    assert_quoted_exactly(text, quotes(everything_in(text, language)))


@pytest.mark.parametrize("name", NAMES)
def test_every_quote_from_a_sample_stands_at_its_offset(name: str) -> None:
    found = list(quotes(everything_in(sample(name), "en")))

    assert len(found) > 20
    assert_quoted_exactly(sample(name), found)


@given(before=texts, after=texts)
@settings(deadline=None, max_examples=80)
def test_a_comparison_quotes_each_text_at_its_own_offsets(before: str, after: str) -> None:
    comparison = comparison_of(sentences_in(after), sentences_in(before))

    assert_quoted_exactly(after, comparison.added)
    assert_quoted_exactly(before, comparison.removed)
    assert_quoted_exactly(after, (pair.after for pair in comparison.changed))
    assert_quoted_exactly(before, (pair.before for pair in comparison.changed))
