"""How much does each word of this text stand out?

The features are those of Campos, Mangaravite, Pasquali, Jorge, Nunes and Jatowt, "YAKE! Keyword extraction from single
documents using multiple local features", Information Sciences 509 (2020), section 3.2: casing, position, frequency,
relatedness to context and spread over the sentences.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from statistics import fmean, median, pstdev
from typing import NamedTuple

from infrastructure.offline import lexicons
from infrastructure.offline.extraction.amounts import CURRENCY_CODES
from infrastructure.offline.extraction.months import MONTHS
from infrastructure.offline.text.sentences import Sentence
from infrastructure.offline.text.words import stopwords, words_in

READ_WORDS = 6_000
LONGEST_WORD_CHARACTERS = 40


class Word(NamedTuple):
    stem: str
    common: bool
    """Whether it is a stop word, a month, a currency or a part of a code such as "PN4" or "TG-400"."""
    joining: bool
    announces: bool
    """Whether a noun comes next, or what describes one."""
    start: int
    end: int
    """Without the 's of an owner."""
    sentence: int
    opens: bool
    """Whether a sentence begins here, so that a capital says nothing."""
    capital: bool
    follows: bool
    """Whether only a blank is between it and the word before."""


def read_words(sentences: tuple[Sentence, ...], language: str) -> tuple[Word, ...]:
    """The first 6,000 words, in order."""
    return tuple(islice(_words(sentences, language), READ_WORDS))


def stem(folded: str) -> str:
    """The word without the sign of its plural, where that is an s."""
    if len(folded) > 4 and folded.endswith("ies"):
        return folded[:-3] + "y"
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") and not folded.endswith("ss") else folded


def weights(words: tuple[Word, ...], sentences: int) -> Mapping[str, float]:
    """By stem, above zero and more for a word that stands out more: the reciprocal of the paper's S(t)."""
    seen = _seen(words)
    counts = [len(one.sentences) for one in seen.values() if not one.common]
    usual = fmean(counts) + pstdev(counts) if counts else 1.0
    most = max(counts, default=1)
    return {stem: 1 / _score(one, usual, most, sentences) for stem, one in seen.items()}


def _words(sentences: tuple[Sentence, ...], language: str) -> Iterator[Word]:
    entries = _Entries(language)
    for number, sentence in enumerate(sentences):
        text = sentence.text
        in_capitals = text.isupper()
        end: int | None = None
        for start, raw in _parts(text, elided=language in _ELIDING):
            entry = entries[raw]
            opens, follows = end is None, end is not None and _GAP.fullmatch(text, end, start) is not None
            end = start + len(raw)
            yield Word(
                stem=entry.stem,
                common=entry.common
                or _DIGIT_BEFORE.search(text, max(start - 2, 0), start) is not None
                or _DIGIT_AFTER.match(text, end) is not None,
                joining=entry.joining,
                announces=entry.announces,
                start=sentence.offset + start,
                end=sentence.offset + end - entry.owner,
                sentence=number,
                opens=opens,
                capital=not in_capitals and raw[0].isupper(),
                follows=follows,
            )


_GAP = re.compile(r"[ \u00a0]?|[ ]?\r?\n[ ]{0,12}")
_DIGIT_BEFORE = re.compile(r"\d[-_/]?\Z")
_DIGIT_AFTER = re.compile(r"[-_/]?\d")
_ELIDED = re.compile(r"(?:[cdjlmnst]|qu|all|dall|dell|nell|sull|un)['’](?=\w{3})", re.IGNORECASE)
_ELIDING = ("fr", "it")


def _parts(text: str, *, elided: bool) -> Iterator[tuple[int, str]]:
    """The words with their places; where the language elides, "l'entreprise" and "dell'impresa" are two."""
    for match in words_in(text):
        start, raw = match.start(), match.group()
        if elided and (prefix := _ELIDED.match(raw)):
            yield start, prefix.group()
            start, raw = start + prefix.end(), raw[prefix.end() :]
        if len(raw) <= LONGEST_WORD_CHARACTERS:
            yield start, raw


class _Entry(NamedTuple):
    """What a word is wherever it stands."""

    stem: str
    owner: int
    """How long its 's is, if it has one."""
    common: bool
    joining: bool
    announces: bool


class _Entries(dict[str, _Entry]):
    """Looks each word up once, however often the text has it."""

    def __init__(self, language: str) -> None:
        self._common = stopwords(language)
        self._announcing = _BEFORE_NOUNS.get(language, frozenset())

    def __missing__(self, raw: str) -> _Entry:
        owner = 2 if raw.endswith(("'s", "’s")) else 0
        folded = raw[: len(raw) - owner].casefold()
        elided = folded.endswith(("'", "’"))
        common = folded in self._common if self._common else len(folded) <= 3
        entry = self[raw] = _Entry(
            stem=stem(folded),
            owner=owner,
            common=common or elided or folded in _NEVER_AT_AN_EDGE or len(folded) < 2,
            joining=folded.rstrip("'’") in _JOINING,
            announces=elided or folded in self._announcing,
        )
        return entry


# None for German: it writes nouns, and only them, with a capital.
_BEFORE_NOUNS = {language: lexicons.words(f"before_nouns.{language}") for language in ("en", "fr", "es", "it")}
_JOINING = lexicons.words("joining_words")
_NEVER_AT_AN_EDGE = frozenset(MONTHS) | frozenset(code.lower() for code in CURRENCY_CODES)


class _Seen:
    """What one stem's occurrences add up to."""

    __slots__ = ("after", "before", "capitals", "common", "sentences")

    def __init__(self, *, common: bool) -> None:
        self.common = common
        self.capitals = 0
        self.sentences: list[int] = []
        self.before: Counter[str] = Counter()
        self.after: Counter[str] = Counter()


def _seen(words: tuple[Word, ...]) -> Mapping[str, _Seen]:
    seen: dict[str, _Seen] = {}
    last: Word | None = None
    for word in words:
        one = seen.get(word.stem)
        if one is None:
            one = seen[word.stem] = _Seen(common=word.common)
        one.sentences.append(word.sentence)
        one.capitals += word.capital and not word.opens
        if last is not None and word.follows:
            one.before[last.stem] += 1
            seen[last.stem].after[word.stem] += 1
        last = word
    return seen


def _score(seen: _Seen, usual: float, most: int, sentences: int) -> float:
    """The paper's S(t), its acronyms counted as capitals."""
    count = len(seen.sentences)
    casing = seen.capitals / (1 + math.log(count))
    position = math.log(math.log(3 + median(seen.sentences)))
    frequency = count / usual
    related = 1 + (_variety(seen.before) + _variety(seen.after)) * count / most
    spread = len(set(seen.sentences)) / sentences
    return related * position / (casing + frequency / related + spread / related)


def _variety(neighbours: Counter[str]) -> float:
    return len(neighbours) / neighbours.total() if neighbours else 0.0
