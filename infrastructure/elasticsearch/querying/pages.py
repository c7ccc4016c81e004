"""Where the next page begins: behind the last hit's place in the order, in a view of the index that stays as it was."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from infrastructure.ports import Refused
from schemas.problems import Problem
from schemas.search import SearchQuery, Sort

FORMAT: Final = 1
VIEW_KEPT_FOR: Final = "2m"
MAX_PLACE_BYTES: Final = 4_000
MAX_IDS_BYTES: Final = 2_000
PLACE_VALUES: Final = 2
"""Of ORDERS. In a view Elasticsearch adds one of its own, which means nothing outside."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    behind: tuple[Any, ...]
    """The last hit's values of what hits are sorted by."""
    seen: int
    """How many hits there were up to it."""
    ids: tuple[str, ...] = ()
    """Those of the page, or as many as fit; in a view, those that were given before it was opened, and don't come again."""
    view: str | None = None
    """The point in time whose documents are read; None before the second page, and where it would be too long to carry."""
    visible: str | None = None
    """What the engine called visible at the first page."""


def fitting(ids: Sequence[str]) -> tuple[str, ...]:
    """As many of the last ids as a place has room for."""
    kept: list[str] = []
    room = MAX_IDS_BYTES
    for one in reversed(ids):
        room -= len(one) + 3
        if room < 0:
            break
        kept.append(one)
    return tuple(kept)


def write_place(place: Place) -> bytes | None:
    written = json.dumps(
        [FORMAT, place.behind, place.seen, place.ids, place.view, place.visible], separators=(",", ":")
    ).encode()
    if len(written) > MAX_PLACE_BYTES and place.view is not None:
        return write_place(replace(place, view=None))
    return written


def read_place(after: bytes) -> Place:
    """Raises Refused for anything that `write_place` didn't write."""
    try:
        version, behind, seen, ids, view, visible = json.loads(after)
        if version == FORMAT and isinstance(seen, int) and len(behind) == PLACE_VALUES:
            return Place(tuple(behind), seen, tuple(ids), view, visible)
    except (ValueError, TypeError):
        pass
    raise Refused(
        Problem.of("cursor-invalid", "The cursor isn't one of this search", 400, "Begin again without a cursor.")
    )


# The id decides between equals, so that the same index gives the same order every time.
ORDERS: Final[dict[Sort, list[dict[str, str]]]] = {
    Sort.RELEVANCE: [{"_score": "desc"}, {"id": "asc"}],
    Sort.NEWEST: [{"created_at_us": "desc"}, {"id": "asc"}],
    Sort.OLDEST: [{"created_at_us": "asc"}, {"id": "asc"}],
    Sort.CHANGED: [{"updated_at_us": "desc"}, {"id": "asc"}],
    Sort.LONGEST: [{"characters": "desc"}, {"id": "asc"}],
    Sort.SHORTEST: [{"characters": "asc"}, {"id": "asc"}],
}


def order_of(query: SearchQuery) -> Sort:
    return query.sort or (Sort.RELEVANCE if query.match else Sort.NEWEST)
