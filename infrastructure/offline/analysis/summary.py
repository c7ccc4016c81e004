"""Which few sentences say most about the whole?

A sentence scores by how much its content words are those of the whole text (the cosine of the two word-count vectors,
each word counted logarithmically so that one term can't carry a sentence), and a little more where it opens the text or
a paragraph, which is where writers put their point. Sentences are then taken best first, each marked down by its
overlap with those already taken, so that a contract's near-identical clauses don't fill the summary. One pass over the
words, then a few over the best 200 sentences.
"""

import math
from collections import Counter
from dataclasses import dataclass

from events.ai import SummarySentence
from infrastructure.offline.text.sentences import Sentence
from infrastructure.offline.text.words import content_words

FEWEST_WORDS = 5
LONGEST_CHARACTERS = 600
CANDIDATES = 200
SENTENCES_PER_PICK = 12
FEWEST_PICKS, MAX_PICKS = 3, 8
OPENING_BONUS, FIRST_BONUS = 0.08, 0.15
OVERLAP_PENALTY = 0.6


@dataclass(frozen=True, slots=True)
class _Candidate:
    sentence: Sentence
    words: frozenset[str]
    score: float


def summary_of(prose: tuple[Sentence, ...], language: str) -> tuple[SummarySentence, ...]:
    """Three to eight sentences of the text, in its order; fewer if it has no more."""
    candidates = _scored(prose, language)
    candidates = [candidate for candidate in candidates if _complete(candidate.sentence.text)] or candidates
    picks = min(max(len(candidates) // SENTENCES_PER_PICK, FEWEST_PICKS), MAX_PICKS)
    chosen = _varied(sorted(candidates, key=lambda candidate: -candidate.score)[:CANDIDATES], picks)
    return tuple(
        SummarySentence(
            text=candidate.sentence.text, offset=candidate.sentence.offset, score=round(min(candidate.score, 1.0), 3)
        )
        for candidate in sorted(chosen, key=lambda candidate: candidate.sentence.offset)
    )


def _complete(sentence: str) -> bool:
    """List items and cut-off lines say little without what stands around them."""
    return not sentence[0].islower() and sentence.rstrip("\"'”’»)*_")[-1:] in {".", "!", "?", "…"}


def _scored(prose: tuple[Sentence, ...], language: str) -> list[_Candidate]:
    bags = [Counter(content_words(sentence.text, language)) for sentence in prose]
    whole: Counter[str] = Counter()
    for bag in bags:
        whole.update(bag)
    weights = {word: 1.0 + math.log(count) for word, count in whole.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return [
        _Candidate(sentence, frozenset(bag), _likeness(bag, weights, length) + _bonus(sentence, place))
        for place, (sentence, bag) in enumerate(zip(prose, bags, strict=True))
        if sum(bag.values()) >= FEWEST_WORDS and len(sentence.text) <= LONGEST_CHARACTERS
    ]


def _likeness(bag: Counter[str], weights: dict[str, float], length: float) -> float:
    own = math.sqrt(sum((1.0 + math.log(count)) ** 2 for count in bag.values()))
    return sum((1.0 + math.log(count)) * weights[word] for word, count in bag.items()) / (own * length)


def _bonus(sentence: Sentence, place: int) -> float:
    if place == 0:
        return FIRST_BONUS
    return OPENING_BONUS if sentence.opens_block else 0.0


def _varied(ranked: list[_Candidate], picks: int) -> list[_Candidate]:
    """The best, each worth less by its largest overlap with one already taken."""
    chosen: list[_Candidate] = []
    left = list(ranked)
    while left and len(chosen) < picks:
        best = max(left, key=lambda candidate: candidate.score - OVERLAP_PENALTY * _overlap(candidate, chosen))
        chosen.append(best)
        left.remove(best)
    return chosen


def _overlap(candidate: _Candidate, chosen: list[_Candidate]) -> float:
    return max(
        (len(candidate.words & other.words) / len(candidate.words | other.words) for other in chosen), default=0.0
    )
