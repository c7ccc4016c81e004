"""Which phrases stand out in this text?

A phrase is a run of words between stop words and punctuation. Its score is the C-value of Frantzi, Ananiadou and Mima,
"Automatic recognition of multi-word terms", International Journal on Digital Libraries 3 (2000): more for a longer
phrase, and for a more frequent one, not counting where it is only a part of a longer phrase. It is changed in three
things. Frequency counts by its logarithm, and length by one more than its logarithm, so that single words compete and
don't drown the rest. Both are weighed by how much the words stand out, see `word_weights`. And a phrase that is
doubtful, see `_doubt`, counts for less.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import geometric_mean
from typing import NamedTuple

from events.ai import KeyPhrase
from infrastructure.offline import lexicons
from infrastructure.offline.text.sentences import Sentence
from infrastructure.offline.text.word_weights import READ_WORDS, Word, read_words, stem, weights

LONGEST_PHRASE_WORDS = 4
MAX_PHRASES = 15


def phrases_of(text: str, sentences: tuple[Sentence, ...], language: str) -> tuple[KeyPhrase, ...]:
    """Up to 15 phrases of one to four words, best first, each with its first place in the text."""
    words = read_words(sentences, language)
    candidates = _candidates(words)
    ranked = _ranked(candidates, weights(words, len(sentences)), _nouns(words))
    read_to = words[-1].end if len(words) == READ_WORDS else len(text)
    return tuple(_key_phrase(text, candidates[stems], read_to, rank) for rank, stems in enumerate(_distinct(ranked)))


_Stems = tuple[str, ...]
"""What a phrase's forms have in common: "credit union" and "credit unions" are one candidate."""


class _Place(NamedTuple):
    first: Word
    last: Word


def _candidates(words: tuple[Word, ...]) -> Mapping[_Stems, list[_Place]]:
    """Every run of up to four words that no stop word and no punctuation interrupts, and where it stands."""
    found: dict[_Stems, list[_Place]] = {}
    for index, first in enumerate(words):
        if first.common:
            continue
        stems = [first.stem]
        found.setdefault((first.stem,), []).append(_Place(first, first))
        for word in words[index + 1 : index + 2 * LONGEST_PHRASE_WORDS]:
            if not word.follows or (word.common and not word.joining) or len(stems) == LONGEST_PHRASE_WORDS:
                break
            stems.append(word.stem)
            if not word.common:
                found.setdefault(tuple(stems), []).append(_Place(first, word))
    return found


class _Nouns(NamedTuple):
    """The stems that are, at least once, what their names say."""

    any: frozenset[str]
    """A noun, or what describes one."""
    alone: frozenset[str]
    """A noun without another word of meaning beside it: "Financial" of "Chief Financial Officer" never is."""


def _nouns(words: tuple[Word, ...]) -> _Nouns:
    """By what can be seen: a capital within a sentence, or a word before it that announces a noun."""
    inside = Counter(word.stem for word in words if not word.opens)
    capitals = Counter(word.stem for word in words if not word.opens and word.capital)
    named = {stem for stem, count in capitals.items() if 2 * count >= inside[stem]}
    nouns, alone = set(named), set()
    for index, word in enumerate(words):
        before = words[index - 1] if word.follows else None
        after = words[index + 1] if index + 1 < len(words) and words[index + 1].follows else None
        noun = word.stem in named or (before is not None and before.announces)
        if noun:
            nouns.add(word.stem)
            if (before is None or before.common) and (after is None or after.common):
                alone.add(word.stem)
    return _Nouns(frozenset(nouns), frozenset(alone))


def _ranked(candidates: Mapping[_Stems, list[_Place]], weights: Mapping[str, float], nouns: _Nouns) -> list[_Stems]:
    """Best first; of equals, the one that comes first in the alphabet."""
    inside = _occurrences_inside_longer(candidates)
    scored: list[tuple[float, _Stems]] = []
    for stems, places in candidates.items():
        count = len(places) - inside[stems]
        if count and not _MEASURES.issuperset(stems):
            length = 1 + math.log2(len(stems))
            stand_out = math.sqrt(geometric_mean(weights[stem] for stem in stems))
            scored.append((-math.log1p(count) * length * stand_out * _doubt(stems, len(places), nouns), stems))
    return [stems for _, stems in sorted(scored)]


def _occurrences_inside_longer(candidates: Mapping[_Stems, list[_Place]]) -> Mapping[_Stems, int]:
    """How often each is a part of that repeated phrase which it is most often a part of."""
    inside: Counter[_Stems] = Counter()
    for stems, places in candidates.items():
        if len(places) > 1:
            for begin in range(len(stems)):
                for end in range(begin + 1, len(stems) + 1):
                    if end - begin < len(stems):
                        part = stems[begin:end]
                        inside[part] = max(inside[part], len(places))
    return inside


_MEASURES = frozenset(stem(word) for word in lexicons.words("measures"))
_ROLES = frozenset(stem(word) for word in lexicons.words("roles"))
_DOUBT = 0.3
_SHORTEST_SINGLE = 3


def _doubt(stems: _Stems, count: int, nouns: _Nouns) -> float:
    """Less than one for what occurs once, may be no noun, or is what a party is called in any such document."""
    first, last = stems[0], stems[-1]
    if len(stems) > 1:
        doubts = [count == 1, first not in nouns.any, last not in nouns.any]
    else:
        doubts = [count == 1, first not in nouns.alone, first in _ROLES, len(first) < _SHORTEST_SINGLE]
    return float(_DOUBT ** sum(doubts))


def _distinct(ranked: list[_Stems]) -> Iterator[_Stems]:
    """Without those that say a better one and more, or less, or mostly the same."""
    taken: list[frozenset[str]] = []
    for stems in ranked:
        words = frozenset(stems)
        if all(2 * len(words & other) < min(len(words), len(other)) + 1 for other in taken):
            taken.append(words)
            yield stems
        if len(taken) == MAX_PHRASES:
            return


def _key_phrase(text: str, places: list[_Place], read_to: int, rank: int) -> KeyPhrase:
    written = [text[place.first.start : place.last.end] for place in places]
    forms = {_in_one_line(form): form for form in written}
    usual, _ = Counter(map(_in_one_line, written)).most_common(1)[0]
    # A heading in capitals shows a phrase less well than the sentence after it, and a broken line less well than a whole.
    shown = min(written, key=lambda form: (_in_one_line(form) != usual, form.isupper(), "\n" in form))
    return KeyPhrase(
        text=shown,
        offset=places[written.index(shown)].first.start,
        relevance=round(1.0 - rank / MAX_PHRASES, 2),
        occurrences=len(places) + sum(1 for _ in _written_as(forms.values()).finditer(text, read_to)),
    )


def _in_one_line(written: str) -> str:
    return " ".join(written.lower().split())


def _written_as(forms: Iterable[str]) -> re.Pattern[str]:
    """Any of the forms, in any case and over a line's end, but not within a longer word or a hyphenated one."""
    letter = r"[^\W\d_]"
    words = "|".join(_GAP.join(re.escape(word) for word in form.split()) for form in forms)
    return re.compile(rf"(?<!{letter})(?<!{letter}[‑-])(?:{words})(?!{letter}|[‑-]{letter})", re.IGNORECASE)


_GAP = r"(?:[ \u00a0]|[ ]?\r?\n[ ]{0,12})"
