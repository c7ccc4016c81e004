"""A client that reads on from anywhere in a page gets every event behind its position once, as it would alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.streams.catching_up.pages import CHUNK_BYTES, FeedPage, JobPage
from api.streams.encoding import Announced
from api.streams.subscribers import TypedEvents
from infrastructure.postgres.events.feed import EventRow, JobRows, News, Place, Position

TENANT, JOB = UUID(int=1), UUID(int=2)
BEGUN_AT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 40
SEEN, UPTO = "1:1:", "9:9:"


def rows_of(types: Sequence[str]) -> tuple[EventRow, ...]:
    """Rows of which a chunk holds about ten."""
    data = '"' + "x" * (CHUNK_BYTES // 10) + '"'
    return tuple(
        EventRow(TENANT, JOB, number + 1, kind, BEGUN_AT + timedelta(seconds=number), data)
        for number, kind in enumerate(types)
    )


types = st.lists(st.sampled_from(["job.started", "job.succeeded"]), min_size=1, max_size=ROWS)
positions = st.lists(st.integers(0, ROWS), min_size=1, max_size=6)


@given(types, positions, st.sampled_from(["*", "job.started"]))
def test_a_tenants_feed_reads_on_from_any_row(types: list[str], positions: list[int], pattern: str) -> None:
    rows, wants = rows_of(types), TypedEvents(pattern)
    news = News(rows, SEEN, UPTO, Position(UPTO))
    page = FeedPage(news, tail=True)

    for had in (min(position, len(rows)) for position in positions):
        read, place = b"", None if not had else _place_of(rows[had - 1])
        while True:
            chunk = page.after(place, wants)
            read += chunk.frames
            assert len(chunk.frames) <= 2 * CHUNK_BYTES
            if chunk.last:
                break
            place = chunk.behind.after

        alone = [
            Announced.stored(row, news.position_of(row)).for_tenant() for row in rows[had:] if wants.match(row.type)
        ]
        assert read == b"".join(alone)
        assert chunk.behind == Position(UPTO)


@given(types, positions)
def test_a_jobs_events_read_on_from_any_seq(types: list[str], positions: list[int]) -> None:
    rows = rows_of(types)
    page = JobPage(JobRows(rows, more=False, over=False), behind=0)

    for had in positions:
        read, seq, last = b"", had, False
        while not last:
            chunk = page.after(seq)
            read, seq, last = read + chunk.frames, chunk.behind, chunk.last

        assert read == b"".join(Announced.stored(row, None).for_job() for row in rows[had:])
        assert seq == max(had, len(rows))


def _place_of(row: EventRow) -> Place:
    return Place(row.at, row.job_id, row.seq)
