"""Which wording should a reviewer look at?

Each line of a risk list is a category and a phrase. In a phrase `*` stands for the rest of a word and `...` for up to
five words between, so that "terminate ... for convenience" finds "terminate this Agreement for convenience".
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from events.ai import Quote, Risk, RiskTerm, Severity
from infrastructure.offline import lexicons
from infrastructure.offline.text.sentences import Sentence

TERMS_SHOWN = 100
LANGUAGES = frozenset({"en", "de", "fr"})


@dataclass(frozen=True, slots=True)
class _Category:
    severity: Severity
    why: str


_CATEGORIES = {
    "unlimited_liability": _Category(Severity.HIGH, "One side's liability has no upper limit."),
    "indemnity": _Category(Severity.HIGH, "One side answers for claims that others make against the other side."),
    "penalty": _Category(Severity.HIGH, "A fixed sum falls due whatever the damage was."),
    "one_sided_change": _Category(Severity.HIGH, "One side can change the terms or decide alone."),
    "guarantee": _Category(Severity.HIGH, "Somebody answers for another's debts."),
    "automatic_renewal": _Category(Severity.MEDIUM, "The term extends itself unless notice is given in time."),
    "termination": _Category(Severity.MEDIUM, "One side can leave early, or at once."),
    "exclusivity": _Category(Severity.MEDIUM, "One side may not work with, compete with or hire from others."),
    "rights_transfer": _Category(Severity.MEDIUM, "Rights are given away for good or for everything."),
    "warranty_disclaimer": _Category(Severity.MEDIUM, "What is delivered isn't promised to work."),
    "liability_limit": _Category(Severity.MEDIUM, "Damages are capped or kinds of damage excluded."),
    "personal_data": _Category(Severity.MEDIUM, "Personal data may be exposed, passed on or leave the country."),
    "payment": _Category(Severity.LOW, "Payment terms that cost more than the price, such as interest or indexation."),
    "disputes": _Category(Severity.LOW, "Fixes where and how a dispute is decided."),
}


def risk_in(text: str, sentences: tuple[Sentence, ...], language: str) -> Risk:
    """Every listed phrase, in order, with its sentence; `supported=False` and nothing looked for in other languages."""
    supported = language in LANGUAGES
    terms = list(_terms(text, sentences, language)) if supported else []
    return Risk(
        terms=tuple(terms[:TERMS_SHOWN]),
        by_category=dict(Counter(term.category for term in terms).most_common()),
        left_out=max(len(terms) - TERMS_SHOWN, 0),
        supported=supported,
    )


def _terms(text: str, sentences: tuple[Sentence, ...], language: str) -> Iterator[RiskTerm]:
    starts = [sentence.offset for sentence in sentences]
    end = 0
    for start, finish, category in sorted(_matches(text, language), key=lambda found: (found[0], -found[1])):
        if start < end:
            continue
        end = finish
        around = sentences[max(bisect_right(starts, start) - 1, 0)]
        yield RiskTerm(
            text=text[start:finish],
            offset=start,
            category=category,
            severity=_CATEGORIES[category].severity,
            why=_CATEGORIES[category].why,
            sentence=Quote(text=around.text, offset=around.offset),
        )


def _matches(text: str, language: str) -> Iterator[tuple[int, int, str]]:
    for category, pattern in _PATTERNS[language].items():
        for match in pattern.finditer(text):
            yield match.start(), match.end(), category


_BETWEEN_WORDS = r"[\s\u00a0]{1,3}"
_UP_TO_FIVE_WORDS = rf"(?:{_BETWEEN_WORDS}[^\s.;]{{1,40}}){{0,5}}?"


def _patterns(language: str) -> dict[str, re.Pattern[str]]:
    phrases: dict[str, list[str]] = {}
    for line in lexicons.lines(f"risk.{language}"):
        category, _, phrase = line.partition(": ")
        if category not in _CATEGORIES:
            raise ValueError(f"risk.{language} has the unknown category {category}")
        phrases.setdefault(category, []).append(_pattern(phrase))
    return {
        category: re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.IGNORECASE)
        for category, alternatives in phrases.items()
    }


def _pattern(phrase: str) -> str:
    pattern = ""
    for place, word in enumerate(phrase.split()):
        if word == "...":
            pattern += _UP_TO_FIVE_WORDS
            continue
        stem = re.escape(word.removesuffix("*"))
        pattern += (_BETWEEN_WORDS if place else "") + stem + (r"\w{0,20}" if word.endswith("*") else "")
    return pattern


_PATTERNS = {language: _patterns(language) for language in LANGUAGES}
