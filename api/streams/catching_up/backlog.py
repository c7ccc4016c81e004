"""Reads stored events for clients that are catching up: a page once for all clients at nearby positions, in small chunks.

What follows a snapshot is the same for every client at that snapshot, so its pages are cached. A client at another
position gets a page that ends where a cached one begins, and from there on shares the cached pages.
"""

from types import TracebackType
from typing import Self
from uuid import UUID

from api.streams.catching_up.fair_queue import Turns
from api.streams.catching_up.kept_pages import KeptPages
from api.streams.catching_up.pages import Chunk, FeedPage, JobPage
from api.streams.catching_up.shared_reads import SharedReads
from api.streams.subscribers import TypedEvents
from infrastructure.postgres.events import feed, snapshots, stretches
from infrastructure.postgres.events.feed import Position
from infrastructure.postgres.session import Connection
from infrastructure.postgres.tenants.pool import TenantPool

FEED_PAGE = 1_000
"""Rows per page of a tenant's feed."""


class Backlog:
    """One per process."""

    def __init__(self, pool: TenantPool, size: int) -> None:
        """`size` is the number of concurrent reads: the size of the pool."""
        self._reads = SharedReads(pool, size)
        self._turns = Turns()
        self._kept = KeptPages()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reads.close()
        await self._turns.close()

    async def of_tenant(
        self, tenant_id: UUID, place: Position, wants: TypedEvents, upto: str | None = None
    ) -> Chunk[Position]:
        """The next events after the position, up to the snapshot `upto`, or to about now."""
        if place.upto is None:
            page = await self._onward(tenant_id, place.seen, upto)
        else:
            page = await self._within(tenant_id, place, place.upto)
        await self._turns.turn(tenant_id, "tenant")
        return page.after(place.after, wants)

    async def of_job(self, tenant_id: UUID, job_id: UUID, after: int) -> Chunk[int] | None:
        """The job's next events after that seq; None when the tenant has no such job. The last chunk shows the state at the
        time of the call or later."""
        page = await self._job_page(tenant_id, job_id, after)
        if page is None:
            return None
        await self._turns.turn(tenant_id, "job")
        return page.after(after)

    async def _onward(self, tenant_id: UUID, seen: str, upto: str | None) -> FeedPage:
        known = self._kept.onward(tenant_id, seen)
        if known is not None and (upto is None or snapshots.parse(known.upto).within(snapshots.parse(upto))):
            return known
        # Only as far as a snapshot where a cached page begins: from there on all clients share pages.
        target = upto or self._kept.station_after(tenant_id, seen)
        return await self._between(tenant_id, seen, target)

    async def _within(self, tenant_id: UUID, place: Position, upto: str) -> FeedPage:
        """The page that contains the position, or if that is too large for one page, a page of rows after it."""
        page = await self._between(tenant_id, place.seen, upto)
        if page.whole and page.upto == upto:
            return page
        known = self._kept.at(tenant_id, place)
        if isinstance(known, FeedPage):
            return known

        async def read(connection: Connection) -> FeedPage:
            page = FeedPage(await stretches.within_stretch(connection, tenant_id, place, limit=FEED_PAGE), tail=False)
            self._kept.keep(tenant_id, place, page)
            return page

        return await self._reads.read(tenant_id, "tenant", place, read, lasting=lambda page: True)

    async def _between(self, tenant_id: UUID, seen: str, upto: str | None) -> FeedPage:
        """The events between the two snapshots, or up to now, or until the page is full."""
        known = self._kept.at(tenant_id, (seen, upto))
        if isinstance(known, FeedPage):
            return known

        async def read(connection: Connection) -> FeedPage:
            news = await stretches.stretch(connection, tenant_id, seen, upto, limit=FEED_PAGE)
            page = FeedPage(news, tail=news.at_rest and upto is None)
            if page.tail or not news.at_rest:
                self._kept.keep_onward(tenant_id, page)
            if upto is not None:
                self._kept.keep(tenant_id, (seen, upto), page)
            return page

        return await self._reads.read(tenant_id, "tenant", (seen, upto), read, lasting=lambda page: True)

    async def _job_page(self, tenant_id: UUID, job_id: UUID, after: int) -> JobPage | None:
        number, begun = divmod(after, feed.PAGE)
        key = (job_id, number)
        known = self._kept.at(tenant_id, key)
        if isinstance(known, JobPage) and known.behind <= after:
            return known
        # Up to the next page boundary as counted from the job's first event, so that pages are shared.
        limit = feed.PAGE - begun

        async def read(connection: Connection) -> JobPage | None:
            found = await feed.job_rows(connection, tenant_id, job_id, after=after, limit=limit)
            if found is None:
                return None
            page = JobPage(found, behind=after)
            if not page.tail:
                self._kept.keep(tenant_id, key, page)
            return page

        return await self._reads.read(
            tenant_id, "job", (job_id, after), read, lasting=lambda page: page is not None and not page.tail
        )
