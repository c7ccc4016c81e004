"""Other spellings of a search that finds next to nothing. What is suggested has hits, under the same filters.

Never corrected: a word that documents have, one with a digit or an inner capital (a code or a name), and what was quoted,
excluded or only begun.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final
from uuid import UUID

from infrastructure.ports.search import SearchEngine, Spelling
from infrastructure.searching.typed import TypedWord, typed

FEW_HITS: Final = 3
"""A search with as many isn't corrected, nor is a word that as many documents have."""
MAX_WORDS: Final = 4
"""Correctable words that are looked at: more of them were no slip of a finger."""
MAX_SPELLINGS: Final = 3
"""Of each."""
MAX_TRIES: Final = 8
MAX_WORD_LETTERS: Final = 40

Replacement = Mapping[TypedWord, str]


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one word may be."""

    word: TypedWord
    spelling: Spelling | None
    """None: as it was written."""
    cost: float


async def better_spelling(
    engine: SearchEngine, tenant_id: UUID, text: str, *, hits: int, hits_of: Callable[[str], Awaitable[int]]
) -> str | None:
    """The text with words spelled as documents spell them, if that finds more than its present hits; else None. `hits_of`
    counts what a text finds. Unavailable when the engine can't say."""
    words = correctable(typed(text).words)
    if not words:
        return None
    found = await engine.spellings(tenant_id, [word.text for word in words])
    for replacement in likeliest(list(zip(words, found, strict=True))):
        reworded = with_words_replaced(text, replacement)
        if await hits_of(reworded) > hits:
            return reworded
    return None


def correctable(words: Sequence[TypedWord]) -> list[TypedWord]:
    return [word for word in words if _may_be_misspelled(word.text)][:MAX_WORDS]


def likeliest(found: Sequence[tuple[TypedWord, tuple[int, Sequence[Spelling]]]]) -> Sequence[Replacement]:
    """What to try, the likeliest first: fewest typing errors, then the engine's own order."""
    choices = [_choices(word, documents, spellings) for word, (documents, spellings) in found]
    ranked = sorted(product(*choices), key=lambda chosen: sum(choice.cost for choice in chosen))
    replacements = [{one.word: one.spelling.word for one in chosen if one.spelling is not None} for chosen in ranked]
    return [replacement for replacement in replacements if replacement][:MAX_TRIES]


def with_words_replaced(text: str, replacement: Replacement) -> str:
    """In the user's own wording, with capitals where the user wrote them."""
    for word in sorted(replacement, key=lambda one: one.start, reverse=True):
        text = text[: word.start] + _in_case_of(word.text, replacement[word]) + text[word.end :]
    return text


def _may_be_misspelled(word: str) -> bool:
    has_inner_capital = word[1:] != word[1:].lower() and not word.isupper()
    return len(word) <= MAX_WORD_LETTERS and word.isalpha() and not has_inner_capital


def _choices(word: TypedWord, documents: int, spellings: Sequence[Spelling]) -> list[_Choice]:
    as_written = _Choice(word, None, 0.0)
    if documents >= FEW_HITS:
        return [as_written]
    others = [_Choice(word, one, one.typos + rank / 4) for rank, one in enumerate(spellings[:MAX_SPELLINGS])]
    # A word that no document has finds nothing as it is written; it stays where there is no other.
    return others if others and not documents else [as_written, *others]


def _in_case_of(written: str, word: str) -> str:
    if written.isupper() and len(written) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if written[:1].isupper() else word
