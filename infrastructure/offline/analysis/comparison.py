"""How does the text differ from a reference?

Sentences are compared by their words, without regard to case, blanks and punctuation. Equal ones are paired wherever
they stand, so a moved clause is no difference. What is left over is paired by shared words, best first, as long as two
sentences share half of them: those are changed. The rest was added or removed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from events.ai import ChangedPassage, Comparison, Quote
from infrastructure.offline.text.sentences import Sentence

SHOWN = 100
LEAST_LIKENESS = 0.5
MAX_PAIRED = 400
"""Left-over sentences on each side that are tried against each other; further ones count as added or removed."""


def comparison_of(text: tuple[Sentence, ...], reference: tuple[Sentence, ...]) -> Comparison:
    """What was added to, removed from and changed in the reference, in the order of the text that has it."""
    added, removed, unchanged = _leftovers(text, reference)
    changed = sorted(_pairs(removed[:MAX_PAIRED], added[:MAX_PAIRED]), key=lambda pair: pair.after.offset)
    changed_after = {pair.after.offset for pair in changed}
    changed_before = {pair.before.offset for pair in changed}
    came = [_quote(sentence) for sentence in added if sentence.offset not in changed_after]
    went = [_quote(sentence) for sentence in removed if sentence.offset not in changed_before]
    alike = unchanged + sum(pair.similarity for pair in changed)
    everything = unchanged + len(changed) + len(came) + len(went)
    return Comparison(
        similarity=round(alike / everything, 3) if everything else 1.0,
        unchanged=unchanged,
        added=tuple(came[:SHOWN]),
        removed=tuple(went[:SHOWN]),
        changed=tuple(changed[:SHOWN]),
        left_out=sum(max(len(found) - SHOWN, 0) for found in (came, went, changed)),
    )


def unchanged_in(text: tuple[Sentence, ...], reference: tuple[Sentence, ...]) -> int:
    """How many of the text's sentences the reference has too."""
    return _leftovers(text, reference)[2]


def likeness(before: str, after: str) -> float:
    """The share of both passages' words that they have in common."""
    words, others = frozenset(_words(before)), frozenset(_words(after))
    return round(len(words & others) / len(words | others), 3) if words or others else 1.0


def _leftovers(
    text: tuple[Sentence, ...], reference: tuple[Sentence, ...]
) -> tuple[list[Sentence], list[Sentence], int]:
    left = Counter(_key(sentence) for sentence in reference)
    added: list[Sentence] = []
    kept: Counter[tuple[str, ...]] = Counter()
    for sentence in text:
        key = _key(sentence)
        if left[key] > 0:
            left[key] -= 1
            kept[key] += 1
        elif key:
            added.append(sentence)
    removed: list[Sentence] = []
    for sentence in reference:
        key = _key(sentence)
        if kept[key] > 0:
            kept[key] -= 1
        elif key:
            removed.append(sentence)
    return added, removed, sum(1 for sentence in text if _key(sentence)) - len(added)


def _key(sentence: Sentence) -> tuple[str, ...]:
    return _words(sentence.text)


def _words(text: str) -> tuple[str, ...]:
    """Its words and numbers. Figures count: a changed sum is a change."""
    cleaned = "".join(c if c.isalnum() or c in ".,%€$£" else " " for c in text.casefold())
    return tuple(word for word in (part.strip(".,") for part in cleaned.split()) if word)


def _pairs(removed: list[Sentence], added: list[Sentence]) -> Iterator[ChangedPassage]:
    """The likest pairs first, each sentence once. Only those that share a word are ever compared."""
    before = [frozenset(_key(sentence)) for sentence in removed]
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place, words in enumerate(before):
        for word in words:
            holders[word].append(place)
    scored: list[tuple[float, int, int]] = []
    for after_place, sentence in enumerate(added):
        words = frozenset(_key(sentence))
        shared = Counter(place for word in words for place in holders[word])
        for before_place, count in shared.items():
            likeness = count / (len(words) + len(before[before_place]) - count)
            if likeness >= LEAST_LIKENESS:
                scored.append((likeness, before_place, after_place))
    used_before: set[int] = set()
    used_after: set[int] = set()
    for likeness, before_place, after_place in sorted(scored, key=lambda score: (-score[0], *score[1:])):
        if before_place in used_before or after_place in used_after:
            continue
        used_before.add(before_place)
        used_after.add(after_place)
        yield ChangedPassage(
            before=_quote(removed[before_place]), after=_quote(added[after_place]), similarity=round(likeness, 3)
        )


def _quote(sentence: Sentence) -> Quote:
    return Quote(text=sentence.text, offset=sentence.offset)
