"""What the client says, without a socket: each conversation is given the answers and asked for its steps."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

import pytest
from httpx_sse import ServerSentEvent

from events.envelope import CloudEvent, event_id, job_source
from producers.client.exchange import (
    TRIES,
    NoReply,
    Outcome,
    Pause,
    ProblemAnswer,
    Reply,
    Request,
    Step,
    Unreachable,
    exchange,
)
from producers.client.resources.jobs import submission
from producers.client.sse import PATIENCE_SECONDS, Following
from schemas.ai import ProcessDocument
from schemas.problems import Problem

T = TypeVar("T")
JOB = uuid4()
GOOD = Reply(200, {}, b"{}")
AWAY = Reply(503, {"retry-after": "3"}, Problem.of("unavailable", "Away", 503).model_dump_json().encode())


def _talk(conversation: Generator[Step, Outcome, T], *outcomes: Outcome) -> tuple[list[Step], T]:
    steps = [next(conversation)]
    unheard = iter(outcomes)
    try:
        while True:
            steps.append(conversation.send(None if isinstance(steps[-1], Pause) else next(unheard)))
    except StopIteration as end:
        answer: T = end.value
        return steps, answer


def test_a_passing_fault_is_tried_again_after_a_pause() -> None:
    steps, reply = _talk(exchange(Request("GET", "/x")), NoReply("ConnectError"), AWAY, GOOD)

    assert reply == GOOD
    assert [type(step) for step in steps] == [Request, Pause, Request, Pause, Request]
    assert [step.seconds >= 3 for step in steps if isinstance(step, Pause)][1]


def test_a_lasting_fault_is_given_up() -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        _talk(exchange(Request("GET", "/x")), *[NoReply("ConnectError")] * TRIES)
    with pytest.raises(ProblemAnswer, match="unavailable"):
        _talk(exchange(Request("GET", "/x")), *[AWAY] * TRIES)


def test_a_no_isnt_asked_again() -> None:
    refused = Reply(403, {}, Problem.of("scope-missing", "No", 403).model_dump_json().encode())
    strange = Reply(404, {}, b"<html>")
    with pytest.raises(ProblemAnswer, match="scope-missing"):
        _talk(exchange(Request("GET", "/x")), refused)
    with pytest.raises(ProblemAnswer) as caught:
        _talk(exchange(Request("GET", "/x")), strange)

    assert caught.value.problem.status == 404


def test_a_submission_repeats_itself_with_one_key() -> None:
    command = ProcessDocument(title="T", text="words")
    conversation = submission(command, {"priority": 0})
    first = next(conversation)
    conversation.send(NoReply("ReadError"))
    again = conversation.send(None)

    assert isinstance(first, Request)
    assert first == again
    assert first.path == "/api/ai/process-document?priority=0"
    assert first.headers["idempotency-key"]


def _said(seq: int, kind: str) -> ServerSentEvent:
    event = CloudEvent(
        id=event_id(JOB, seq),
        source=job_source(JOB),
        type=kind,
        subject=str(JOB),
        time=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return ServerSentEvent(data=event.model_dump_json(), id=str(seq))


def test_a_stream_is_resumed_after_the_last_event() -> None:
    following = Following.job(JOB)
    assert "last-event-id" not in following.headers
    following.take(_said(1, "job.queued"))
    following.take(ServerSentEvent(id="7"))
    following.closed()

    assert following.headers["last-event-id"] == "7"
    assert not following.over


def test_a_jobs_stream_is_over_when_it_closes_after_the_end() -> None:
    following = Following.job(JOB)
    following.take(_said(1, "job.dead"))
    following.take(_said(2, "job.replayed"))
    following.closed()
    assert not following.over
    following.take(_said(3, "job.cancelled"))
    following.take(_said(4, "job.discarded"))

    assert following.closed() == 0
    assert following.over


def test_following_is_given_up_when_nothing_answers_for_long() -> None:
    now = 0.0
    following = Following("/x", ends=False, clock=lambda: now)
    now = PATIENCE_SECONDS
    assert following.closed() > 0
    following.answered(GOOD)
    now += PATIENCE_SECONDS
    following.closed()
    now += 1
    with pytest.raises(Unreachable):
        following.closed()


def test_a_later_versions_event_moves_the_place_and_is_left_out() -> None:
    following = Following.job(JOB)

    assert following.take(ServerSentEvent(data='{"specversion": "2.0"}', id="9")) is None
    assert following.last_event_id == "9"
