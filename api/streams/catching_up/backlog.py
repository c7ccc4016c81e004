"""What is stored for readers who aren't live yet: read once for all who stand near by, and handed on in small pieces.

What follows a snapshot is the same for everybody who stands there, so pages of it are kept for a while. A reader who
stands elsewhere is read to where such a page begins, and from there on walks with the others.
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
"""Rows that are read at a time for all who stand at one place."""


class Backlog:
    """One per process."""

    def __init__(self, lines: TenantPool, size: int) -> None:
        """`size` is how many may be read at a time: as many as there are lines."""
        self._reads = SharedReads(lines, size)
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
        """What comes next behind the place, on the way to the snapshot `upto`, or to about this moment."""
        if place.upto is None:
            page = await self._onward(tenant_id, place.seen, upto)
        else:
            page = await self._within(tenant_id, place, place.upto)
        await self._turns.turn(tenant_id, "tenant")
        return page.after(place.after, wants)

    async def of_job(self, tenant_id: UUID, job_id: UUID, after: int) -> Chunk[int] | None:
        """What of the job comes next behind that seq; None when the tenant has no such job. The last of it is what was
        there at the moment of the call, or later."""
        page = await self._job_page(tenant_id, job_id, after)
        if page is None:
            return None
        await self._turns.turn(tenant_id, "job")
        return page.after(after)

    async def _onward(self, tenant_id: UUID, seen: str, upto: str | None) -> FeedPage:
        known = self._kept.onward(tenant_id, seen)
        if known is not None and (upto is None or snapshots.parse(known.upto).within(snapshots.parse(upto))):
            return known
        # Towards where others went on, and no further: from there on there is one way for all.
        target = upto or self._kept.station_after(tenant_id, seen)
        return await self._between(tenant_id, seen, target)

    async def _within(self, tenant_id: UUID, place: Position, upto: str) -> FeedPage:
        """The page that the place lies in; where that can't be one, as many rows behind the place as one holds."""
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
        """From the one snapshot to the other, or to now, or to where the page is full."""
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
        # Up to where the next page begins for whoever began at the job's first event.
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
