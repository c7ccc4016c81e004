"""What a person typed, as clauses. It is never refused: what has no meaning of its own is a word, or nothing.

    lease "notice period" -draft agree*     all of them, and no draft
    lease OR rental                         one of the two is enough; OR binds neighbours, before all else

A quotation mark without its partner is left out, and so is a minus sign with nothing behind it. Of a text with more words or
clauses than a query may have, the first count.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from schemas.search import MAX_CLAUSES, MAX_WORDS, AllOf, AllTerms, AnyOf, Match, NoneOf, Phrase, Prefix
from schemas.search.text import WORD

OR: Final = "OR"
MAX_SINGLE_WORDS: Final = 16
ALL_WORDS_WEIGHT: Final = 1_000.0
"""More than what a short title with one rare word has ahead of a long text with all of them."""
_MARKS: Final = '"“”„‟«»'
_ITEM: Final = re.compile(
    rf"(?P<minus>[-−](?=\S))?(?:[{_MARKS}](?P<phrase>[^{_MARKS}]*)[{_MARKS}]|(?P<word>[^\s{_MARKS}]+))"
)


@dataclass(frozen=True, slots=True)
class TypedWord:
    """A word that stands for itself: not quoted, not excluded, not the beginning of others."""

    text: str
    start: int
    end: int
    """Its place in what was typed."""


@dataclass(frozen=True, slots=True)
class Typed:
    match: Match
    words: tuple[TypedWord, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    clause: AllTerms | Phrase | Prefix
    excluded: bool
    start: int
    joined: bool
    """By OR, with the one before it."""


def typed(text: str) -> Typed:
    """The clauses of a text that has a word, as `SearchQuery.text` does."""
    items = list(_within_bounds(_items(text)))
    return Typed(_tree(items), tuple(word for item in items for word in _own_words(item)))


def with_some_words(match: Match) -> Match | None:
    """The same for documents that have only some of the words, behind those that have all of them; None where there are no
    several words that must all occur. What is quoted must still occur, and what is excluded may not."""
    clauses = match.clauses if isinstance(match, AllOf) else (match,)
    widened = [_some_words(clause) for clause in clauses]
    if all(one is None for one in widened):
        return None
    together = tuple(clause if one is None else one for one, clause in zip(widened, clauses, strict=True))
    return together[0] if len(together) == 1 else AllOf(clauses=together)


def _some_words(clause: Match) -> Match | None:
    if not isinstance(clause, AllTerms):
        return None
    words = WORD.findall(clause.text)[:MAX_SINGLE_WORDS]
    if len(words) < 2:
        return None
    return AnyOf(
        clauses=(clause.model_copy(update={"weight": ALL_WORDS_WEIGHT}), *(AllTerms(text=word) for word in words))
    )


def _items(text: str) -> Iterator[_Item]:
    found = [one for one in _ITEM.finditer(text) if WORD.search(one.group())]
    has_left, joined = False, False
    for number, one in enumerate(found):
        if one.group() == OR and has_left and not joined and number + 1 < len(found):
            joined = True
            continue
        yield _item(one, joined=joined)
        has_left, joined = True, False


def _item(found: re.Match[str], *, joined: bool) -> _Item:
    excluded, phrase, word = found["minus"] is not None, found["phrase"], found["word"]
    if phrase is not None:
        return _Item(Phrase(text=phrase), excluded, found.start("phrase"), joined)
    if word.endswith("*") and WORD.search(word):
        return _Item(Prefix(text=word.rstrip("*")), excluded, found.start("word"), joined)
    return _Item(AllTerms(text=word), excluded, found.start("word"), joined)


def _within_bounds(items: Iterable[_Item]) -> Iterator[_Item]:
    words, clauses, before = 0, 2, None
    for item in items:
        places = [word.end() for word in WORD.finditer(item.clause.text)][: MAX_WORDS - words]
        words, clauses = words + len(places), clauses + _clauses_of(item, before)
        if not places or clauses > MAX_CLAUSES:
            return
        shortened = item.clause.text[: places[-1]]
        yield replace(item, clause=item.clause.model_copy(update={"text": shortened}))
        before = item


def _clauses_of(item: _Item, before: _Item | None) -> int:
    """At most so many more has the tree by this item."""
    if item.joined and before is not None:
        first_of_group = 0 if before.joined else 3  # The group, the item before and what excludes that.
        return first_of_group + 1 + item.excluded
    return 0 if _is_a_plain_word(item) and before is not None and _is_a_plain_word(before) else 1


def _is_a_plain_word(item: _Item) -> bool:
    return isinstance(item.clause, AllTerms) and not item.excluded and not item.joined


def _tree(items: Sequence[_Item]) -> Match:
    wanted: list[Match] = []
    unwanted: list[Match] = []
    for group in _joined_by_or(items):
        if len(group) > 1:
            wanted.append(AnyOf(clauses=tuple(map(_clause, group))))
        elif group[0].excluded:
            unwanted.append(group[0].clause)
        else:
            wanted.append(group[0].clause)
    clauses = _words_together(wanted)
    if unwanted:
        clauses.append(NoneOf(clauses=tuple(unwanted)))
    return clauses[0] if len(clauses) == 1 else AllOf(clauses=tuple(clauses))


def _joined_by_or(items: Sequence[_Item]) -> list[list[_Item]]:
    groups: list[list[_Item]] = []
    for item in items:
        if item.joined:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _clause(item: _Item) -> Match:
    return NoneOf(clauses=(item.clause,)) if item.excluded else item.clause


def _words_together(clauses: Sequence[Match]) -> list[Match]:
    """With neighbouring words in one clause, so that synonyms of several words are seen."""
    together: list[Match] = []
    for are_words, group in groupby(clauses, key=lambda one: isinstance(one, AllTerms)):
        if are_words:
            together.append(AllTerms(text=" ".join(one.text for one in group if isinstance(one, AllTerms))))
        else:
            together.extend(group)
    return together


def _own_words(item: _Item) -> Iterator[TypedWord]:
    if isinstance(item.clause, AllTerms) and not item.excluded:
        for word in WORD.finditer(item.clause.text):
            yield TypedWord(word.group(), item.start + word.start(), item.start + word.end())
