"""A peer: what somebody would write for one search page and one import on an engine's own client, without the product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from infrastructure.ports.search import IndexedDocument
from tests.benchmarks.searching.questions import Question

Prepared = Sequence[Any]
"""Documents as the engine's client takes them."""


@dataclass(frozen=True, slots=True)
class Answer:
    total: int
    hits: Sequence[Mapping[str, Any]]
    facets: Mapping[str, Mapping[Any, int]]


class Bare(Protocol):
    async def page(self, question: Question) -> Answer: ...

    async def page_beside_others(self, question: Question) -> Answer:
        """The same while other pages are asked for."""
        ...

    def prepare(self, documents: Sequence[IndexedDocument]) -> Prepared:
        """Makes of documents what the clock isn't to count."""
        ...

    async def add(self, prepared: Prepared) -> None:
        """To an index of its own, as they come. Returns when they can be found."""
        ...

    async def build(self, prepared: Prepared) -> None:
        """A new index of these, at one go."""
        ...
