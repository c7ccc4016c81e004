"""The words that a tenant's searches find as well: sets that come with the product, and the tenant's own."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.model import Model
from schemas.search.text import WORD

MAX_GROUPS: Final = 500
MAX_TERMS: Final = 10
MAX_TERM_WORDS: Final = 5


class SynonymSet(StrEnum):
    """Sets of synonyms that come with the product, in English."""

    LEGAL = "legal"
    TECHNOLOGY = "technology"
    CONSULTING = "consulting"


def _few_words(term: str) -> str:
    words = len(WORD.findall(term))
    if not words:
        raise ValueError("the term has no word to search for")
    if words > MAX_TERM_WORDS:
        raise ValueError(f"the term has {words} words; at most {MAX_TERM_WORDS} are looked for together")
    return term


Term = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"), AfterValidator(_few_words)]
"""A word, or several that stand next to each other. Case and accents don't matter."""


def _names_none_twice(terms: tuple[str, ...]) -> tuple[str, ...]:
    if len({term.casefold() for term in terms}) < len(terms):
        raise ValueError("a term occurs twice")
    return terms


class SynonymGroup(Model):
    """Terms that mean the same: who looks for one of them finds all."""

    terms: Annotated[tuple[Term, ...], Field(min_length=2, max_length=MAX_TERMS), AfterValidator(_names_none_twice)]


class SynonymRule(Model):
    """Who looks for the term finds the others as well, and not the other way round."""

    term: Term
    finds: Annotated[tuple[Term, ...], Field(min_length=1, max_length=MAX_TERMS), AfterValidator(_names_none_twice)]

    @model_validator(mode="after")
    def _finds_something_else(self) -> Self:
        if self.term.casefold() in {term.casefold() for term in self.finds}:
            raise ValueError("finds has the term itself")
        return self


class Synonyms(Model):
    """What a tenant's searches find as well. The tenant's own groups and rules come before those of the sets."""

    sets: Annotated[tuple[SynonymSet, ...], Field(max_length=len(SynonymSet))] = ()
    groups: Annotated[tuple[SynonymGroup, ...], Field(max_length=MAX_GROUPS)] = ()
    rules: Annotated[tuple[SynonymRule, ...], Field(max_length=MAX_GROUPS)] = ()


class StoredSynonyms(Synonyms):
    version: int = 0
    """One more at each change; 0 while nobody has set any."""
    updated_at: datetime | None = None
    updated_by: str | None = None
