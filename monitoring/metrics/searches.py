"""The metrics of searches: how long they take, and how often the cache answers. The rules are those of
`monitoring.metrics.bus`."""

from typing import Final

from prometheus_client import Counter, Histogram

from monitoring.metrics.registry import registry

OUTCOMES: Final = ("found", "nothing", "failed")
LOOKS: Final = ("hit", "miss", "shared", "bypassed")
SPELLINGS: Final = ("suggested", "answered")
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_seconds = Histogram(
    "bucatini_search_seconds",
    "Searches from their request to their answer, the cache's included",
    ["outcome"],
    buckets=_BUCKETS,
    registry=registry,
)
_cache = Counter(
    "bucatini_search_lookups",
    "Looks into the cache of searches: hit, miss, shared with an equal search at the same time, or bypassed",
    ["cache"],
    registry=registry,
)
_corrections = Counter(
    "bucatini_search_corrections",
    "Searches with next to no hits for which another spelling was suggested, or answered with",
    ["outcome"],
    registry=registry,
)

# As in `monitoring.metrics.bus`: a series counts from zero.
_OBSERVE: Final = {outcome: _seconds.labels(outcome) for outcome in OUTCOMES}
_LOOK: Final = {result: _cache.labels(result) for result in LOOKS}
_SPELL: Final = {outcome: _corrections.labels(outcome) for outcome in SPELLINGS}


def searched(outcome: str, seconds: float) -> None:
    """Observes a search that ended: one of OUTCOMES."""
    _OBSERVE[outcome].observe(seconds)


def looked_up(result: str) -> None:
    """Counts a look into the cache: one of LOOKS."""
    _LOOK[result].inc()


def spelled_otherwise(outcome: str) -> None:
    """Counts another spelling that has hits: one of SPELLINGS."""
    _SPELL[outcome].inc()
