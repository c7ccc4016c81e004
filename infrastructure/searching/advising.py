"""Replays a search and what it could be rewritten to, in turn, and says which finds the same and how much sooner."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final
from uuid import UUID

from infrastructure.ports.search import SearchEngine
from infrastructure.searching.advice import Proposal, proposals
from infrastructure.searching.preparation import Preparation
from infrastructure.searching.typed import typed
from schemas.search import Advice, Rewrite, RewriteOutcome, Rule, SearchQuery, SearchResults

RUNS: Final = 7
MIN_RUNS: Final = 3
BUDGET_SECONDS: Final = 15.0
"""No further round begins after it."""
WORTH_SAYING: Final = 1.1


@dataclass(frozen=True, slots=True)
class _Run:
    searched: SearchQuery
    found: SearchResults
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Advising:
    engine: SearchEngine
    preparation: Preparation

    async def advise(self, tenant_id: UUID, query: SearchQuery) -> Advice:
        """Searches a bounded number of times, past the cache. A cursor in the query is left out. Unavailable when the tenant's
        index can't be used."""
        asked = as_clauses(query)
        began = time.perf_counter()
        original = await self._first(tenant_id, asked)
        proposed = list(proposals(asked, original.found.hits))
        rewritten = [await self._first(tenant_id, one.query) for one in proposed]
        candidates = [original, *rewritten]
        for run in range(RUNS):
            if run >= MIN_RUNS and time.perf_counter() - began > BUDGET_SECONDS:
                break
            # Each begins a round in its turn, so that none always finds the machine as another left it.
            first = run % len(candidates)
            for one in (*candidates[first:], *candidates[:first]):
                await self._again(tenant_id, one)
        rewrites = [_judged(original, one, proposal) for one, proposal in zip(rewritten, proposed, strict=True)]
        return Advice(
            took_seconds=round(original.median, 6),
            hits=original.found.total,
            runs=len(original.seconds),
            rewrites=tuple(sorted(rewrites, key=lambda one: -(one.gain or 0.0))),
        )

    async def _first(self, tenant_id: UUID, query: SearchQuery) -> _Run:
        """Says what is found. It isn't measured: what is read for the first time takes longer."""
        searched = (await self.preparation.prepare(tenant_id, query)).searched
        return _Run(searched, (await self.engine.search(tenant_id, searched)).results)

    async def _again(self, tenant_id: UUID, run: _Run) -> None:
        began = time.perf_counter()
        await self.engine.search(tenant_id, run.searched)
        run.seconds.append(time.perf_counter() - began)


def as_clauses(query: SearchQuery) -> SearchQuery:
    """The same search with the clauses of its text."""
    match = query.match if query.text is None else typed(query.text).match
    return query.model_copy(update={"text": None, "match": match, "cursor": None})


def _judged(original: _Run, rewritten: _Run, proposal: Proposal) -> Rewrite:
    same = _ids(original.found) == _ids(rewritten.found) and (
        original.found.total == rewritten.found.total or proposal.rule is Rule.SHORTER_PERIOD
    )
    gain = round(original.median / rewritten.median, 2) if same else None
    if gain is None:
        outcome = RewriteOutcome.OTHER_HITS
    else:
        outcome = RewriteOutcome.FASTER if gain >= WORTH_SAYING else RewriteOutcome.NO_GAIN
    return Rewrite(rule=proposal.rule, why=proposal.why, outcome=outcome, gain=gain, query=proposal.query)


def _ids(results: SearchResults) -> Sequence[str]:
    return [hit.document_id for hit in results.hits]
