"""What of a text may fill a property: the facts in it, each with the words around it."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from events.ai import Quote
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.extraction.amounts import amounts_in
from infrastructure.offline.extraction.dates import dates_in
from infrastructure.offline.extraction.parties import parties_in
from infrastructure.offline.extraction.phrases import phrases_of
from infrastructure.offline.extraction.terms import terms_in
from infrastructure.offline.text.sentences import Sentence, prose_in, sentences_in
from infrastructure.offline.text.word_weights import stem
from infrastructure.offline.text.words import content_words

MAX_VALUE_CHARACTERS = 1_000
_LISTS: Mapping[str, str] = {
    **dict.fromkeys(("dates", "deadlines", "milestones"), "dates"),
    **dict.fromkeys(("amounts", "sums", "prices", "payments", "fees", "costs", "money"), "amounts"),
    **dict.fromkeys(("parties", "companies", "organisations", "organizations", "signatories"), "parties"),
    **dict.fromkeys(("defined_terms", "terms", "definitions"), "terms"),
    **dict.fromkeys(("key_phrases", "keywords", "topics", "subjects"), "phrases"),
}
_DATE_WORDS = frozenset({"date", "day", "datum", "deadline", "until"})
_MONEY_WORDS = frozenset(
    {"amount", "price", "rent", "fee", "total", "value", "sum", "cost", "salary", "deposit", "budget", "penalty", "cap"}
)
_ANY_MONEY = frozenset({"amount", "price", "total", "value", "sum", "currency"})
_ANY = frozenset({"date", "amount", "total", "text", "value", "name", "number", "day"})
"""Words that say of what kind something is, and not which one."""
_NUMBER = re.compile(r"(?<![\w.,])\d{1,9}(?:\.\d{1,6})?(?![\w]|[.,]\d)")


@dataclass(frozen=True, slots=True)
class Candidate:
    value: Any
    quote: str


class Candidates:
    """The facts of one text, each found when it is first asked for."""

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    def listed(self, names: Sequence[str]) -> list[dict[str, Candidate]]:
        """The facts that a list of that name has, each by the names of its parts."""
        match _LISTS.get(names[-1].casefold()):
            case "dates":
                return [_fact(one.text, date=one.iso, iso=one.iso) for one in self._dates]
            case "amounts":
                return [_fact(one.text, number=_number(one.value), currency=one.currency) for one in self._amounts]
            case "parties":
                return [
                    _fact(one.text, name=one.name, role=one.role, legal_form=one.legal_form) for one in self._parties
                ]
            case "terms":
                return [
                    _fact(one.text, term=one.text, definition=one.definition.text if one.definition else None)
                    for one in self._terms
                ]
            case "phrases":
                return [_fact(one.text) for one in phrases_of(self._text, self._sentences, self._language)]
            case _:
                return []

    def best(self, names: Sequence[str], schema: Mapping[str, Any], kinds: Sequence[str]) -> Candidate | None:
        """What fits the name, its description and its kind best."""
        described = str(schema.get("description", ""))[:MAX_VALUE_CHARACTERS]
        own = _stems(" ".join(names[-2:]), self._language) or _stems(names[-1], "und")
        hints = own | _stems(described, self._language)
        if isinstance(schema.get("enum"), list):
            return self._named_in(schema["enum"])
        if {"number", "integer"} & set(kinds):
            return self._sum_or_number(own, hints, whole="number" not in kinds)
        if "string" not in kinds:
            return None
        if schema.get("format") == "date" or own & _DATE_WORDS:
            days = [(one, Candidate(one.iso, one.text)) for one in self._dates if one.iso and len(one.iso) == 10]
            return self._fitting(days, hints - _ANY, or_first=not own - _ANY)
        return self._wording(names, own, hints, whole_number(schema.get("maxLength"), MAX_VALUE_CHARACTERS))

    def _wording(
        self, names: Sequence[str], own: frozenset[str], hints: frozenset[str], limit: int
    ) -> Candidate | None:
        last = names[-1].casefold()
        if last == "currency":
            money = [(one, Candidate(one.currency, one.text)) for one in self._amounts]
            return self._fitting(money, hints - _ANY - {"currency"}, or_first=True)
        if last == "title":
            return self._short(next((line for line in self._text.splitlines() if line.strip(" #*=-")), ""), limit)
        if last == "summary":
            return self._short(
                next(iter(summary_of(prose_in(self._text), self._language)), Quote(text="", offset=0)).text, limit
            )
        for party in self._parties:
            if party.role and _stems(party.role, "und") & own:
                return Candidate(party.name, party.text)
        return self._labelled(names[-1], limit) or self._sentence(hints & own - _ANY, limit)

    def _sum_or_number(self, own: frozenset[str], hints: frozenset[str], *, whole: bool) -> Candidate | None:
        money = [(one, Candidate(_number(one.value), one.text)) for one in self._amounts]
        money = [pair for pair in money if not whole or isinstance(pair[1].value, int)]
        found = self._fitting(money, hints - _ANY, or_first=bool(own) and own <= _ANY | _ANY_MONEY)
        if found is not None or own & _MONEY_WORDS:
            return found
        for sentence in self._sentences:
            if own and own <= _stems(sentence.text, self._language):
                for number in _NUMBER.finditer(sentence.text):
                    value = float(number.group()) if "." in number.group() else int(number.group())
                    if isinstance(value, int) or not whole:
                        return Candidate(value, sentence.text)
        return None

    def _fitting(
        self, found: Sequence[tuple[Quote, Candidate]], hints: frozenset[str], *, or_first: bool
    ) -> Candidate | None:
        """The one in whose sentence most of the words are, the first of equals."""
        scored = [(len(hints & self._around(quote)), candidate) for quote, candidate in found]
        best = max(scored, key=lambda one: one[0], default=None)
        if best is None or (best[0] == 0 and not or_first):
            return None
        return best[1]

    def _around(self, quote: Quote) -> frozenset[str]:
        place = max(bisect_right(self._starts, quote.offset) - 1, 0)
        return self._stems_of[place] if self._stems_of else frozenset()

    def _named_in(self, allowed: Sequence[Any]) -> Candidate | None:
        """The one of the words that the text has most often."""
        counted = [
            (len(matches), one, matches[0])
            for one in allowed[:100]
            if isinstance(one, str) and one.strip()
            if (matches := re.findall(rf"(?<!\w){re.escape(one.replace('_', ' '))}(?!\w)", self._text, re.IGNORECASE))
        ]
        best = max(counted, key=lambda one: one[0], default=None)
        return None if best is None else Candidate(best[1], best[2])

    def _labelled(self, name: str, limit: int) -> Candidate | None:
        """As in `Order number: 4500021877`, or the same in a table's row."""
        label = r"[ _-]".join(re.escape(word) for word in re.split(r"[\s_-]+", name) if word)
        line = re.search(
            rf"^[\s|*#-]{{0,8}}{label}[\s*]{{0,4}}[:|]+[ *]{{0,4}}(\S[^\n|]*)", self._text, re.IGNORECASE | re.MULTILINE
        )
        return self._short(line[1], limit) if line else None

    def _sentence(self, wanted: frozenset[str], limit: int) -> Candidate | None:
        if not wanted:
            return None
        for place, sentence in enumerate(self._sentences):
            if wanted <= self._stems_of[place]:
                return self._short(sentence.text, limit)
        return None

    def _short(self, text: str, limit: int) -> Candidate | None:
        text = text.strip().strip("#*| ").strip()
        return Candidate(text, text) if 0 < len(text) <= limit else None

    @cached_property
    def _sentences(self) -> tuple[Sentence, ...]:
        return sentences_in(self._text)

    @cached_property
    def _starts(self) -> list[int]:
        return [one.offset for one in self._sentences]

    @cached_property
    def _stems_of(self) -> list[frozenset[str]]:
        return [_stems(one.text, self._language) for one in self._sentences]

    @cached_property
    def _dates(self) -> list[Any]:
        return dates_in(self._text, self._language)

    @cached_property
    def _amounts(self) -> list[Any]:
        return amounts_in(self._text, self._language)

    @cached_property
    def _terms(self) -> list[Any]:
        return terms_in(self._text)

    @cached_property
    def _parties(self) -> list[Any]:
        return parties_in(self._text, self._terms)


def _fact(text: str, **parts: Any) -> dict[str, Candidate]:
    return {"text": Candidate(text, text)} | {
        name: Candidate(value, text) for name, value in parts.items() if value is not None
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def whole_number(given: Any, default: int) -> int:
    return given if isinstance(given, int) and given >= 0 else default


def _stems(text: str, language: str) -> frozenset[str]:
    words: Iterable[str] = content_words(text.replace("_", " ").replace("-", " "), language)
    return frozenset(stem(word) for word in words)
