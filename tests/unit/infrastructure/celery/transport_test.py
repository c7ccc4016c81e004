"""The transport pops many doorbells at a time, and never more jobs than its window has room for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection, Consumer, Queue

from infrastructure.celery import transport
from infrastructure.celery.keys import list_of
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, VERSION, JobRef, messages_of, read
from infrastructure.celery.transport import Transport, weight_of
from infrastructure.celery.window import Window

AT_ONCE_SECONDS = 5.0
NOTHING_MORE_SECONDS = 0.5
TENANT = UUID(int=2)


@pytest.fixture
def answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(transport, "WAITED_SECONDS", 3_600.0)


@pytest.mark.parametrize(
    ("headers", "weight"),
    [({"jobs": 50}, 50), ({"jobs": 1}, 1), ({}, 1), ({"jobs": None}, 1), ({"jobs": 0}, 1), ({"jobs": "50"}, 1)],
)
def test_a_message_weighs_as_many_jobs_as_it_names(headers: dict[str, object], weight: int) -> None:
    assert weight_of(headers) == weight


@given(st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=40), st.integers(-10, 1_000))
def test_a_window_has_room_for_what_the_worker_wants_less_what_is_on_its_way_there(
    bells: list[tuple[int, bool]], wanted: int
) -> None:
    window = Window(lambda: wanted)
    for jobs, arrived in bells:
        window.named(jobs)
        if arrived:
            window.taken(jobs)

    assert window.room == max(wanted - sum(jobs for jobs, arrived in bells if not arrived), 0)


def test_who_found_no_room_is_woken_once_when_there_is_some() -> None:
    wanted, woken = [0], []
    window = Window(lambda: wanted[0])
    window.on_room(lambda: woken.append(True))

    window.look_again()
    assert window.room == 0
    window.look_again()
    assert not woken
    wanted[0] = 1
    window.look_again()
    window.look_again()
    assert len(woken) == 1
    assert window.room == 1
    window.look_again()
    assert len(woken) == 1, "who takes bells needs no waking"


@pytest.mark.usefixtures("answered_at_once")
def test_where_bells_stand_waiting_a_look_takes_what_the_window_has_room_for(redis_url: str) -> None:
    _push(redis_url, [[uuid4()] for _ in range(100)])

    with _consuming(redis_url, window=10) as taken:
        taken.once()
        assert len(taken.messages) == 1, "the first answer may have come just after the question"

        taken.once()
        assert len(taken.messages) == 10
        assert _depth(redis_url) == 90


@pytest.mark.parametrize("jobs", [1, 49])
def test_a_bell_that_was_waited_for_comes_by_itself_and_those_behind_it_with_the_next_look(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(transport, "WAITED_SECONDS", 0.0)
    _push(redis_url, [[uuid4() for _ in range(jobs)] for _ in range(3)])

    with _consuming(redis_url, window=1_000) as taken:
        taken.once()
        assert len(taken.messages) == 1

        taken.all_there_is()
        assert len(taken.messages) == 3
        assert _depth(redis_url) == 0


def test_behind_a_full_bell_others_are_looked_for_however_long_it_was_waited_for(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "WAITED_SECONDS", 0.0)
    _push(redis_url, [[uuid4() for _ in range(MAX_JOBS_IN_A_DOORBELL)] for _ in range(3)])

    with _consuming(redis_url, window=1_000) as taken:
        taken.once()

        assert len(taken.messages) == 3


def test_a_full_window_takes_nothing_until_there_is_room_again(redis_url: str) -> None:
    _push(redis_url, [[uuid4() for _ in range(8)] for _ in range(6)])

    with _consuming(redis_url, window=20) as taken:
        taken.all_there_is()
        assert sum(map(len, taken.messages)) == 24, "a bell is taken whole, so the last one may go beyond the window"
        assert _depth(redis_url) == 3

        taken.starts_all()
        taken.all_there_is()

        assert _depth(redis_url) == 0


def test_a_bell_that_answers_a_question_asked_before_is_taken_by_a_worker_that_is_full_meanwhile(
    redis_url: str,
) -> None:
    """Redis has popped it: left unread, it would wait for a slot here though another worker is free."""
    with _consuming(redis_url, window=1) as taken:
        taken.all_there_is()  # Leaves a question open.
        taken.fill_up()
        _push(redis_url, [[uuid4()], [uuid4()]])

        taken.once()

        assert len(taken.messages) == 1
        assert _depth(redis_url) == 1, "and no other is asked for"


@pytest.mark.usefixtures("answered_at_once")
def test_bells_come_in_the_order_they_were_rung_and_urgent_ones_first(redis_url: str) -> None:
    ordinary, urgent = [uuid4() for _ in range(5)], [uuid4() for _ in range(3)]
    _push(redis_url, [[job] for job in ordinary])
    _push(redis_url, [[job] for job in urgent], priority=9)

    with _consuming(redis_url, window=100) as taken:
        taken.all_there_is()

        assert [job for (job,) in taken.messages] == [*urgent, *ordinary]


def test_bells_of_another_version_go_back_when_their_worker_leaves(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PUT_BACK_SECONDS", 3_600.0)
    _push(redis_url, [[uuid4()] for _ in range(3)], version=VERSION + 1)
    rung = _all(redis_url)

    with _consuming(redis_url, window=2) as taken:
        taken.all_there_is()
        assert len(_all(redis_url)) == 1, "those aside take places in the window, so that it doesn't take all there are"

    assert sorted(_all(redis_url)) == sorted(rung)
    assert taken.messages == []


def test_no_more_bells_of_another_version_are_put_back_than_a_list_should_hold(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_PUT_BACK", 4)
    _push(redis_url, [[uuid4()] for _ in range(6)], version=VERSION + 1)

    with _consuming(redis_url, window=1_000) as taken:
        taken.all_there_is()

    assert len(_all(redis_url)) == 4


def _push(redis_url: str, bells: list[list[UUID]], *, priority: int = 5, version: int = VERSION) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for ids in bells:
            for name, messages in messages_of([JobRef(job, TENANT, "ai.brew", "ai", priority) for job in ids]).items():
                client.lpush(name, *[_of_version(version, message) for message in messages])


def _of_version(version: int, message: bytes) -> bytes:
    told = orjson.loads(message)
    return orjson.dumps({**told, "headers": {**told["headers"], "bell": version}})


def _all(redis_url: str) -> list[bytes]:
    with redis.Redis.from_url(redis_url) as client:
        return list(client.lrange(list_of("ai", 0), 0, -1))


def _depth(redis_url: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.llen(list_of("ai", 0)))


class Taken:
    """What the transport delivered to a consumer."""

    def __init__(self, connection: Any, window: Window) -> None:
        self.messages: list[list[UUID]] = []
        self._connection = connection
        self._window = window
        self._waiting = 0

    def on_message(self, message: Any) -> None:
        lots = read(message.headers, message.body).lots
        self.messages.append([job_id for lot in lots for job_id in lot.job_ids])
        self._window.named(len(self.messages[-1]))
        self._waiting += len(self.messages[-1])

    def once(self) -> None:
        """Takes what one look brings."""
        self._connection.drain_events(timeout=AT_ONCE_SECONDS)

    def all_there_is(self) -> None:
        """Looks again and again, until a look brings nothing."""
        with suppress(TimeoutError):
            while True:
                self._connection.drain_events(timeout=NOTHING_MORE_SECONDS)

    def starts_all(self) -> None:
        self._window.taken(self._waiting)
        self._waiting = 0

    def fill_up(self) -> None:
        self._window.of(lambda: 0)


@contextmanager
def _consuming(redis_url: str, *, window: int) -> Iterator[Taken]:
    room = Window(lambda: window)
    options = {"window": room}
    with (
        Connection(redis_url, transport=Transport, transport_options=options) as connection,
        connection.channel() as channel,
    ):
        taken = Taken(connection, room)
        consumer = Consumer(channel, [Queue("ai")], on_message=taken.on_message, auto_declare=True)
        consumer.qos(prefetch_count=1)
        with consumer:
            yield taken
