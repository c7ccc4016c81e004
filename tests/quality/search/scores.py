"""How good an order of hits is.

nDCG@10 as Järvelin and Kekäläinen define it (2002), with gains of 2^grade - 1; MRR is the mean of one through the rank of the
first hit that answers at least in part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean
from typing import Final

from tests.quality.search.library import IN_PART, Judged

DEPTH: Final = 10


@dataclass(frozen=True, slots=True)
class Relevance:
    """From 0 to 1."""

    ndcg: float
    mrr: float


def relevance(found: Sequence[tuple[Judged, Sequence[str]]]) -> Relevance:
    """The means over queries, each with the ids of its hits in their order."""
    return Relevance(
        fmean(ndcg(ids, judged.grades) for judged, ids in found),
        fmean(reciprocal_rank(ids, judged.grades) for judged, ids in found),
    )


def by_language(found: Sequence[tuple[Judged, Sequence[str]]]) -> Mapping[str, Relevance]:
    languages = sorted({judged.language for judged, _ in found})
    return {one: relevance([pair for pair in found if pair[0].language == one]) for one in languages}


def ndcg(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    best = _gain(sorted(grades.values(), reverse=True)[:DEPTH])
    return _gain([grades.get(one, 0) for one in ids[:DEPTH]]) / best if best else 0.0


def reciprocal_rank(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    ranks = [rank for rank, one in enumerate(ids[:DEPTH], start=1) if grades.get(one, 0) >= IN_PART]
    return 1 / ranks[0] if ranks else 0.0


def recall(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    """The share found of what answers at least in part."""
    answering = {one for one, grade in grades.items() if grade >= IN_PART}
    return len(answering.intersection(ids)) / len(answering)


def _gain(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))
