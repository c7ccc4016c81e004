"""The facts of a document, in the form that models are asked for them in."""

from collections.abc import Sequence
from typing import Any

from events.ai import DefinedTerm
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.extraction.amounts import amounts_in
from infrastructure.offline.extraction.dates import dates_in
from infrastructure.offline.extraction.parties import parties_in
from infrastructure.offline.extraction.phrases import phrases_of
from infrastructure.offline.extraction.terms import terms_in
from infrastructure.offline.text.sentences import Block, sentences_in
from infrastructure.ports.ai.reading import (
    MAX_OF_A_KIND,
    Facts,
    FurtherFacts,
    SaidAmount,
    SaidDate,
    SaidParty,
    SaidSentence,
    SaidTerm,
)

CHARACTERS_BEFORE_A_TERM = 12
MARKS_AFTER_A_TERM = 3


def facts_answer(text: str, language: str) -> dict[str, Any]:
    """What the rules find, in the order of the text, each list cut at 200."""
    sentences = sentences_in(text)
    prose = tuple(one for one in sentences if one.block is Block.PROSE)
    dates = dates_in(text, language)
    amounts = amounts_in(text, language)
    terms = terms_in(text)
    parties = parties_in(text, terms)
    facts = Facts(
        summary=tuple(SaidSentence(quote=one.text, weight=one.score) for one in summary_of(prose, language)),
        key_phrases=tuple(one.text for one in phrases_of(text, sentences, language)),
        dates=tuple(SaidDate(quote=one.text, iso=one.iso) for one in dates[:MAX_OF_A_KIND]),
        amounts=tuple(
            SaidAmount(quote=one.text, value=format(one.value, "f"), currency=one.currency)
            for one in amounts[:MAX_OF_A_KIND]
        ),
        parties=tuple(
            SaidParty(quote=one.text, legal_form=one.legal_form, role=one.role) for one in parties[:MAX_OF_A_KIND]
        ),
        defined_terms=tuple(_said(text, one) for one in terms[:MAX_OF_A_KIND]),
        further=FurtherFacts(
            dates=_beyond(dates), amounts=_beyond(amounts), parties=_beyond(parties), defined_terms=_beyond(terms)
        ),
    )
    return {**facts.model_dump(mode="json"), "language": language}


def _beyond(found: Sequence[object]) -> int:
    return max(len(found) - MAX_OF_A_KIND, 0)


def _said(text: str, term: DefinedTerm) -> SaidTerm:
    """With the marks and words around it, which tell this place from others that have the word."""
    begin = max(term.offset - CHARACTERS_BEFORE_A_TERM, text.rfind("\n", 0, term.offset) + 1, 0)
    end = term.offset + len(term.text)
    return SaidTerm(
        term=term.text,
        quote=text[begin : end + MARKS_AFTER_A_TERM].strip(),
        definition=term.definition.text if term.definition else None,
    )
