"""What one reader is offered, takes and is sent."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
from hypothesis import given
from hypothesis import strategies as st

from api.streams.encoding import Announced
from api.streams.fanout import MAX_PER_TURN, MAX_UNDELIVERED, Fanout
from api.streams.sources import next_of_job
from api.streams.subscribers import MAX_WAITING, Behind, Ended, JobEvents, Subscriber, Taken, TypedEvents
from events.envelope import CloudEvent
from infrastructure.postgres.events.feed import EventRow, Place, Position

JOB = uuid4()
AT = datetime(2026, 11, 22, 16, 1, 31, 5, tzinfo=UTC)


def _announced(seq: int, kind: str = "job.retrying", data: str | None = None) -> Announced:
    row = EventRow(uuid4(), JOB, seq, kind, AT, data)
    return Announced.stored(row, Position("1:1:", "2:2:", Place(AT, JOB, seq)))


def _live() -> Announced:
    return Announced.live(JOB, "job.progressed", b'{"live":true}')


def _subscriber() -> Subscriber:
    subscriber = Subscriber(uuid4(), JobEvents(JOB))
    subscriber.go_live("1:1:")
    return subscriber


def test_an_event_is_written_as_its_model_writes_it() -> None:
    frame = _announced(3, "ai.document_processed", '{"title": "a\u2028b\u0085c"}').for_job()
    identity, data, empty, _ = frame.decode().split("\n")

    assert (identity, empty) == ("id: 3", "")
    assert len(data.splitlines()) == 1
    event = CloudEvent.model_validate_json(data.removeprefix("data: "))
    assert event == CloudEvent(
        id=f"{JOB}:3",
        source=f"/api/jobs/{JOB}",
        type="ai.document_processed",
        subject=str(JOB),
        time=AT,
        data={"title": "a\u2028b\u0085c"},
    )
    assert orjson.loads(event.model_dump_json(exclude_none=True)) == orjson.loads(data.removeprefix("data: "))


def test_a_live_event_has_no_id() -> None:
    assert _live().for_job() == _live().for_tenant() == b'data: {"live":true}\n\n'


def test_a_reader_takes_what_it_was_offered_in_order() -> None:
    async def read() -> None:
        subscriber = _subscriber()
        offered = tuple(_announced(seq) for seq in range(1, 4))
        for one in offered:
            subscriber.offer([one])

        assert await subscriber.take(1) == offered
        assert await subscriber.take(0.01) == ()

    asyncio.run(read())


def test_a_reader_who_sleeps_is_woken_by_an_offer() -> None:
    async def read() -> None:
        subscriber = _subscriber()
        taking = asyncio.create_task(subscriber.take(30))
        await asyncio.sleep(0)
        subscriber.offer([one := _announced(1)])

        assert await asyncio.wait_for(taking, 1) == (one,)

    asyncio.run(read())


def test_events_written_directly_to_a_sleeping_reader_dont_wait_and_others_wake_it() -> None:
    async def read() -> None:
        subscriber = _subscriber()
        written: list[Announced] = []

        def try_write(coming: Sequence[Announced]) -> bool:
            if len(written) == 2:
                return False
            written.extend(coming)
            return True

        one, two, three, four = (_announced(seq) for seq in range(1, 5))
        subscriber.offer([one])
        assert await subscriber.take(30, try_write) == (one,)

        taking = asyncio.create_task(subscriber.take(30, try_write))
        await asyncio.sleep(0)
        for announced in (two, three, four, one):
            subscriber.offer([announced])

        assert await asyncio.wait_for(taking, 1) == (four, one)
        assert written == [two, three]

    asyncio.run(read())


def test_a_subscriber_that_overflows_holds_nothing_and_is_behind() -> None:
    async def read() -> None:
        subscriber = _subscriber()
        for seq in range(MAX_WAITING + 10):
            subscriber.offer([_announced(seq)])

        assert await subscriber.take(1) == Behind()
        assert not subscriber.live
        subscriber.go_live("2:2:")
        assert await subscriber.take(0.01) == ()

    asyncio.run(read())


def test_live_events_give_way_before_a_stored_one_would() -> None:
    async def read() -> None:
        subscriber = _subscriber()
        live = Announced.live(UUID(int=1), "ai.delta", b"{}")
        for _ in range(2 * MAX_WAITING):
            subscriber.offer([live])
        stored = [_announced(seq) for seq in range(MAX_WAITING // 2)]
        subscriber.offer(stored)

        taken = await subscriber.take(1)

        assert isinstance(taken, tuple)
        assert taken[-len(stored) :] == tuple(stored), "it isn't behind"
        assert taken.count(live) == MAX_WAITING // 2

    asyncio.run(read())


async def _hearing(parts: list[tuple[Announced, ...]]) -> tuple[Subscriber, asyncio.Task[Taken]]:
    """A subscriber whose reader sleeps and records each direct write in `parts`."""

    def try_write(coming: Sequence[Announced]) -> bool:
        parts.append(tuple(coming))
        return True

    subscriber = _subscriber()
    reading = asyncio.create_task(subscriber.take(30, try_write))
    await asyncio.sleep(0)
    return subscriber, reading


def test_events_put_during_a_delivery_reach_pending_subscribers_together() -> None:
    async def deliver() -> None:
        heard: list[list[tuple[Announced, ...]]] = [[] for _ in range(MAX_PER_TURN + 1)]
        readers, _reading = zip(*[await _hearing(parts) for parts in heard], strict=True)
        fanout, (first, second) = Fanout(), (_announced(1), _announced(2))
        fanout.put([(reader, (first,)) for reader in readers], 1)
        await asyncio.sleep(0)
        assert (heard[0], heard[-1]) == ([(first,)], [])
        assert fanout.has_pending(readers[-1])
        assert not fanout.has_pending(readers[0])

        fanout.put([(reader, (second,)) for reader in readers], MAX_UNDELIVERED)
        await fanout.room()

        assert all(parts == [(first,), (second,)] for parts in heard[:-1])
        assert heard[-1] == [(first, second)]

    asyncio.run(deliver())


def test_a_burst_is_delivered_in_order_in_parts_and_there_is_no_room_before_its_end() -> None:
    async def deliver() -> None:
        parts: list[tuple[Announced, ...]] = []
        reader, _reading = await _hearing(parts)
        fanout, burst = Fanout(), tuple(_announced(seq) for seq in range(MAX_UNDELIVERED))
        fanout.put([(reader, burst)], len(burst))
        async with asyncio.timeout(1):
            await fanout.room()

        assert max(len(part) for part in parts) == MAX_PER_TURN
        assert tuple(one for part in parts for one in part) == burst

    asyncio.run(deliver())


def test_pending_events_of_a_forgotten_subscriber_are_not_delivered() -> None:
    async def deliver() -> None:
        parts: list[tuple[Announced, ...]] = []
        reader, _reading = await _hearing(parts)
        fanout, (first, second) = Fanout(), (_announced(1), _announced(2))
        fanout.put([(reader, (first,))], 1)
        fanout.forget(reader)
        fanout.put([(reader, (second,))], 1)
        await asyncio.sleep(0)

        assert parts == [(second,)]

    asyncio.run(deliver())


def test_ending_a_subscriber_wakes_its_reader_wherever_it_waits() -> None:
    async def read() -> None:
        taking, joining = _subscriber(), Subscriber(uuid4(), JobEvents(JOB))
        tasks = (asyncio.create_task(taking.take(30)), asyncio.create_task(joining.joined()))
        await asyncio.sleep(0)
        taking.end()
        joining.end()

        async with asyncio.timeout(1):
            assert await tasks[0] == Ended()
            assert await tasks[1] is None

    asyncio.run(read())


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(0, 6))
def test_a_jobs_events_are_the_next_ones_without_gap_or_repeat(seqs: list[int], last_seq: int) -> None:
    coming, last, whole = next_of_job(tuple(_announced(seq) for seq in seqs), last_seq)

    assert [one.row.seq for one in coming if one.row] == list(range(last_seq + 1, last + 1))
    if whole:
        assert all(seq <= last for seq in seqs)


def test_a_final_event_sends_the_reader_back_to_the_stored_events() -> None:
    taken = (_live(), _announced(4), _announced(5, "job.dead"), _announced(6, "job.replayed"))
    coming, last, whole = next_of_job(taken, 3)

    assert (len(coming), last, whole) == (3, 5, False)


def test_types_match_like_file_names() -> None:
    matches = {
        pattern: [
            kind for kind in ("job.failed", "job.succeeded", "search.indexed") if TypedEvents(pattern).match(kind)
        ]
        for pattern in ("*", "job.*", "job.faile?", "*.indexed", "job")
    }

    assert matches == {
        "*": ["job.failed", "job.succeeded", "search.indexed"],
        "job.*": ["job.failed", "job.succeeded"],
        "job.faile?": ["job.failed"],
        "*.indexed": ["search.indexed"],
        "job": [],
    }
