"""An LRU cache of pages of stored events, with an index of the snapshots at which pages begin."""

import time
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from uuid import UUID

from api.streams.catching_up.pages import FeedPage, JobPage
from infrastructure.postgres.events import snapshots

MAX_BYTES = 64_000_000
"""Estimated size of all cached pages."""
TAIL_SECONDS = 1.0
"""How long the last page of a feed is served. Clients join the hub at its end and get the rest there."""
MAX_LOOKED_AT = 8

Page = FeedPage | JobPage
Key = tuple[UUID, Hashable]


class KeptPages:
    """An LRU cache, bounded in bytes. Pages never go stale, since what lies between two snapshots doesn't change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._bytes = 0
        self._onward: dict[tuple[UUID, str], tuple[FeedPage, float]] = {}
        """The page that follows a snapshot, and until when it may be served."""
        self._stations: defaultdict[UUID, list[tuple[int, str]]] = defaultdict(list)
        """Each tenant's snapshots at which a page begins that isn't the last, sorted by their ends."""

    def at(self, tenant_id: UUID, key: Hashable) -> Page | None:
        page = self._pages.get((tenant_id, key))
        if page is not None:
            self._pages.move_to_end((tenant_id, key))
        return page

    def keep(self, tenant_id: UUID, key: Hashable, page: Page) -> None:
        """Caches the page, replacing any under this key."""
        before = self._pages.pop((tenant_id, key), None)
        if before is page:
            self._bytes -= page.bytes
        elif before is not None:
            self._drop((tenant_id, key), before)
        self._pages[tenant_id, key] = page
        self._bytes += page.bytes
        while self._bytes > MAX_BYTES:
            self._drop(*self._pages.popitem(last=False))

    def onward(self, tenant_id: UUID, seen: str) -> FeedPage | None:
        """The cached page that follows the snapshot."""
        page, until = self._onward.get((tenant_id, seen), (None, 0.0))
        if page is None or self._clock() > until:
            return None
        self.at(tenant_id, span(page))
        return page

    def keep_onward(self, tenant_id: UUID, page: FeedPage) -> None:
        """Caches the page for every client at the snapshot where it begins."""
        self.keep(tenant_id, span(page), page)
        self._forget_onward(tenant_id, page.seen)
        self._onward[tenant_id, page.seen] = (page, self._clock() + TAIL_SECONDS if page.tail else float("inf"))
        if not page.tail:
            insort(self._stations[tenant_id], (snapshots.parse(page.seen).end, page.seen))

    def station_after(self, tenant_id: UUID, seen: str) -> str | None:
        """A nearby snapshot that includes this one and at which a cached page begins."""
        start = snapshots.parse(seen)
        stations = self._stations.get(tenant_id, [])
        first = bisect_left(stations, (start.end, ""))
        for _, text in stations[first : first + MAX_LOOKED_AT]:
            if text != seen and start.within(snapshots.parse(text)):
                return text
        return None

    def _drop(self, key: Key, page: Page) -> None:
        self._bytes -= page.bytes
        if isinstance(page, FeedPage) and self._onward.get((key[0], page.seen), (None, 0.0))[0] is page:
            self._forget_onward(key[0], page.seen)

    def _forget_onward(self, tenant_id: UUID, seen: str) -> None:
        if self._onward.pop((tenant_id, seen), None) is None or tenant_id not in self._stations:
            return
        stations = self._stations[tenant_id]
        station = (snapshots.parse(seen).end, seen)
        place = bisect_left(stations, station)
        if place < len(stations) and stations[place] == station:
            del stations[place]
        if not stations:
            del self._stations[tenant_id]


def span(page: FeedPage) -> Hashable:
    """The cache key of a page: the snapshots between which it lies."""
    return (page.seen, page.upto)
