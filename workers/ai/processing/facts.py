"""The facts of a text, as a model named them: kept where the text has their passages, and read by rules where rules can."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from events.ai import (
    Amount,
    DateMention,
    DefinedTerm,
    KeyPhrase,
    LeftOut,
    Party,
    Quote,
    SummarySentence,
)
from infrastructure.offline.extraction.amounts import CURRENCY_CODES, amounts_in
from infrastructure.offline.extraction.dates import dates_in
from infrastructure.offline.text.word_weights import stem
from infrastructure.ports.ai.reading import MAX_PHRASES, Facts, SaidAmount, SaidDate, SaidParty, SaidTerm, decimal_of
from schemas.model import Model
from workers.ai.processing.support import number_is_in
from workers.ai.quoting import Passages, one_line


class FoundFacts(Model):
    """What was found in a text, or in a part of it."""

    summary: tuple[SummarySentence, ...]
    key_phrases: tuple[KeyPhrase, ...]
    dates: tuple[DateMention, ...]
    amounts: tuple[Amount, ...]
    parties: tuple[Party, ...]
    defined_terms: tuple[DefinedTerm, ...]
    left_out: LeftOut


def found_facts(answer: dict[str, Any], text: str, language: str) -> FoundFacts:
    """Without what the text doesn't say."""
    said = Facts.model_validate({name: value for name, value in answer.items() if name != "language"})
    passages = Passages(text)
    return FoundFacts(
        summary=tuple(
            SummarySentence(**quote.model_dump(), score=one.weight)
            for one, quote in zip(
                said.summary, passages.in_order(iter([one.quote for one in said.summary])), strict=True
            )
            if quote is not None
        ),
        key_phrases=tuple(_key_phrases(said.key_phrases, passages, text)),
        dates=tuple(_dates(said.dates, passages, language)),
        amounts=tuple(_amounts(said.amounts, passages, language)),
        parties=tuple(_parties(said.parties, passages, text)),
        defined_terms=tuple(_terms(said.defined_terms, passages)),
        left_out=LeftOut(**said.further.model_dump()),
    )


def _key_phrases(said: tuple[str, ...], passages: Passages, text: str) -> Iterator[KeyPhrase]:
    found = {quote.offset: quote for one in said if (quote := passages.find(one)) is not None}
    for rank, quote in enumerate(found.values()):
        yield KeyPhrase(
            text=quote.text,
            offset=quote.offset,
            relevance=round(1.0 - rank / MAX_PHRASES, 2),
            occurrences=_mentions(quote.text, text),
        )


def _dates(said: tuple[SaidDate, ...], passages: Passages, language: str) -> Iterator[DateMention]:
    for one, quote in zip(said, passages.in_order(iter([one.quote for one in said])), strict=True):
        if quote is not None:
            yield DateMention(text=quote.text, offset=quote.offset, iso=_iso(one, quote, language))


def _iso(said: SaidDate, quote: Quote, language: str) -> str | None:
    """As the rules read the passage, and as the model does where they see no date in it."""
    read = dates_in(quote.text, language)
    if read:
        return read[0].iso
    return said.iso if said.iso and _is_iso(said.iso) and said.iso[:4] in quote.text else None


def _is_iso(written: str) -> bool:
    try:
        date.fromisoformat(f"{written}-01" if len(written) == 7 else written)
    except ValueError:
        return False
    return len(written) in (7, 10)


def _amounts(said: tuple[SaidAmount, ...], passages: Passages, language: str) -> Iterator[Amount]:
    for one, quote in zip(said, passages.in_order(iter([one.quote for one in said])), strict=True):
        if quote is None:
            continue
        read = amounts_in(quote.text, language)
        if read:
            yield read[0].model_copy(update={"text": quote.text, "offset": quote.offset})
            continue
        value, currency = decimal_of(one.value), (one.currency or "").upper()
        if value is not None and currency in CURRENCY_CODES and number_is_in(quote.text, value):
            yield Amount(
                text=quote.text,
                offset=quote.offset,
                value=value,
                currency=currency,
                currency_certain=currency in quote.text.upper(),
            )


def _parties(said: tuple[SaidParty, ...], passages: Passages, text: str) -> Iterator[Party]:
    found = [(one, quote) for one in said if (quote := passages.find(one.quote)) is not None]
    merged: dict[str, Party] = {}
    for one, quote in sorted(found, key=lambda pair: pair[1].offset):
        name = one_line(quote.text)
        known = merged.get(name.casefold())
        role = one.role if one.role and passages.find(one.role) else None
        if known is None:
            merged[name.casefold()] = Party(
                text=quote.text,
                offset=quote.offset,
                name=_as_usual(name, text),
                legal_form=one.legal_form if one.legal_form and one.legal_form in name else None,
                role=role,
                mentions=_mentions(quote.text, text),
            )
        elif known.role is None and role:
            merged[name.casefold()] = known.model_copy(update={"role": role})
    yield from merged.values()


def _as_usual(name: str, text: str) -> str:
    """As it is written where it isn't in capitals, such as in a heading."""
    if not name.isupper():
        return name
    forms = (one_line(found.group()) for found in _written(name).finditer(text))
    return next((form for form in forms if not form.isupper()), name)


def _terms(said: tuple[SaidTerm, ...], passages: Passages) -> Iterator[DefinedTerm]:
    found: dict[str, DefinedTerm] = {}
    for one, around in zip(said, passages.in_order(iter([one.quote for one in said])), strict=True):
        term = one.term.strip()
        inside = _place_of(term, around.text) if around is not None and term else -1
        if around is None or inside < 0:
            continue
        offset = around.offset + inside
        found.setdefault(
            term.casefold(),
            DefinedTerm(
                text=term,
                offset=offset,
                definition=passages.find(one.definition, offset) if one.definition else None,
            ),
        )
    yield from sorted(found.values(), key=lambda term: term.offset)


def _place_of(term: str, passage: str) -> int:
    """Between quotation marks if it is there: the passage may have the same word before them."""
    quoted = re.search(rf"[“„\"«*]\s?(?P<term>{re.escape(term)})", passage)
    return quoted.start("term") if quoted else passage.find(term)


def _mentions(written: str, text: str) -> int:
    return max(sum(1 for _ in _written(written).finditer(text)), 1)


def _written(words: str) -> re.Pattern[str]:
    """In any case, over a line's end and with the s of a plural or without, but not within a longer word."""
    gapped = r"\s+".join(re.escape(word) for word in stem(words).split())
    return re.compile(rf"(?<!\w){gapped}s?(?!\w)", re.IGNORECASE)
