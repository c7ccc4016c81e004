"""What the client says, without a socket: each conversation is given the answers and asked for its steps."""

import json
import pickle
from collections.abc import Generator
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar
from uuid import uuid4

import pytest
from httpx_sse import ServerSentEvent

from events.envelope import CloudEvent, event_id, job_source
from producers.client.commands import submission
from producers.client.errors import ProblemAnswer, RequestTimeout, Unreachable, UnreadableResponse
from producers.client.exchange import (
    DOWN_SECONDS,
    MAX_TRIES,
    MAX_TRIES_TIMED_OUT,
    PATIENCE_SECONDS,
    NoReply,
    Outcome,
    Pause,
    Reply,
    Request,
    Step,
    exchange,
    parsed,
)
from producers.client.requests import whole
from producers.client.sse import Following
from producers.client.waiting import Waiting
from schemas.ai import ProcessDocument
from schemas.problems import Problem
from schemas.search import AllOf, AllTerms, Phrase, SearchQuery

T = TypeVar("T")
JOB = uuid4()
GOOD = Reply(200, {}, b"{}")
AWAY = Reply(503, {"retry-after": "3"}, Problem.of("unavailable", "Away", 503).model_dump_json().encode())


def test_a_redirect_is_said_with_where_it_leads() -> None:
    with pytest.raises(
        UnreadableResponse, match=r"leads to https://bucatini\.example/api/jobs, and no redirect is followed"
    ):
        parsed(Problem, Reply(301, {"location": "https://bucatini.example/api/jobs"}, b""))


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
    steps, reply = _talk(exchange(Request("GET", "/x")), NoReply("ReadError"), AWAY, GOOD)

    assert reply == GOOD
    assert [type(step) for step in steps] == [Request, Pause, Request, Pause, Request]
    assert [step.seconds >= 3 for step in steps if isinstance(step, Pause)][1]


def test_a_lasting_fault_is_given_up() -> None:
    with pytest.raises(Unreachable, match="ReadError"):
        _talk(exchange(Request("GET", "/x")), *[NoReply("ReadError")] * MAX_TRIES)
    with pytest.raises(ProblemAnswer, match="unavailable"):
        _talk(exchange(Request("GET", "/x")), *[AWAY] * MAX_TRIES)


def test_a_server_that_is_down_is_said_within_its_time() -> None:
    now = 0.0
    conversation = exchange(Request("GET", f"/api/jobs/{JOB}?x=1"), lambda: now)
    tries = 0

    def try_it() -> None:
        nonlocal now, tries
        step = next(conversation)
        while True:
            tries += isinstance(step, Request)
            now += step.seconds if isinstance(step, Pause) else 0.0
            step = conversation.send(None if isinstance(step, Pause) else NoReply("refused", connected=False))

    with pytest.raises(Unreachable, match="no connection") as caught:
        try_it()
    assert tries > 2
    assert now == pytest.approx(DOWN_SECONDS)
    assert caught.value.job_id == JOB


def test_a_server_that_was_there_a_moment_ago_is_waited_for() -> None:
    seconds = count()
    refused = [NoReply("refused", connected=False)] * (MAX_TRIES - 2)
    conversation = exchange(Request("GET", "/x"), lambda: float(next(seconds)))
    steps, reply = _talk(conversation, NoReply("ReadError"), *refused, GOOD)

    assert reply == GOOD
    assert sum(isinstance(step, Request) for step in steps) == MAX_TRIES


def test_what_a_lost_answers_request_has_deleted_is_deleted() -> None:
    gone = Reply(404, {}, Problem.of("not-found", "There is no such hold", 404).model_dump_json().encode())
    _, reply = _talk(exchange(Request("DELETE", "/x")), NoReply("ReadError"), gone)
    with pytest.raises(ProblemAnswer):
        _talk(exchange(Request("DELETE", "/x")), NoReply("refused", connected=False), gone)

    assert reply == gone


def test_errors_travel_between_processes() -> None:
    problem = Problem.of("no", "No", 403)
    for error in (ProblemAnswer(problem, job_id=JOB), RequestTimeout("late", request_id="here"), Unreachable("away")):
        arrived = pickle.loads(pickle.dumps(error))
        assert (type(arrived), str(arrived), arrived.__dict__) == (type(error), str(error), error.__dict__)


def test_a_response_that_never_comes_is_a_timeout_after_two_tries() -> None:
    with pytest.raises(RequestTimeout) as caught:
        _talk(exchange(Request("GET", "/x")), *[NoReply("ReadTimeout", timed_out=True)] * MAX_TRIES_TIMED_OUT)

    assert isinstance(caught.value, TimeoutError)


def test_what_isnt_safe_to_repeat_is_sent_again_only_where_nothing_was_done() -> None:
    once = Request("POST", "/x", repeatable=False)
    steps, _ = _talk(exchange(once), AWAY, NoReply("refused", connected=False), GOOD)
    assert sum(isinstance(step, Request) for step in steps) == 3
    with pytest.raises(Unreachable, match="may have been done"):
        _talk(exchange(once), NoReply("ReadError"))
    with pytest.raises(ProblemAnswer):
        _talk(exchange(once), Reply(502, {}, b"<html>"))


def test_who_is_asked_to_wait_for_long_is_told_and_decides() -> None:
    hour = Reply(429, {"retry-after": "3600"}, Problem.of("rate-limited", "Slower", 429).model_dump_json().encode())
    with pytest.raises(ProblemAnswer, match="rate-limited"):
        _talk(exchange(Request("GET", "/x")), hour)


def test_every_try_of_a_request_has_one_name_and_its_error_says_it() -> None:
    steps, _ = _talk(exchange(Request("GET", "/x")), AWAY, GOOD)
    names = {step.id for step in steps if isinstance(step, Request)}
    refused = Reply(403, {"x-correlation-id": "here"}, Problem.of("no", "No", 403).model_dump_json().encode())
    with pytest.raises(ProblemAnswer) as caught:
        _talk(exchange(Request("GET", "/x")), refused)

    assert len(names) == 1
    assert None not in names
    assert (caught.value.request_id, caught.value.status) == ("here", 403)


def test_a_later_releases_fields_are_left_out_and_what_cant_be_read_is_said() -> None:
    known = Problem.of("no", "No", 403).model_dump(mode="json")
    later = json.dumps({**known, "colour": "green", "errors": [{"pointer": "/a", "detail": "b", "weight": 3}]}).encode()

    assert parsed(Problem, Reply(200, {}, later)).errors[0].detail == "b"
    with pytest.raises(UnreadableResponse, match="older"):
        parsed(Problem, Reply(200, {}, b"<html>"))


def test_an_ingress_that_goes_away_while_a_job_is_waited_for_is_waited_for_as_well() -> None:
    now = 0.0
    away = Unreachable("away")
    never_there, waiting = Waiting(None, clock=lambda: now), Waiting(None, clock=lambda: now)
    with pytest.raises(Unreachable):
        never_there.pause_after(away)
    waiting.heard("a job")
    now = PATIENCE_SECONDS
    assert waiting.pause_after(away) > 0
    now += 1
    with pytest.raises(Unreachable):
        waiting.pause_after(away)


def test_no_wait_outlasts_its_time() -> None:
    now = 0.0
    waiting = Waiting(10, clock=lambda: now)
    waiting.heard("a job")
    now = 9.5
    assert (waiting.poll_seconds, waiting.over) == (1, False)
    assert waiting.pause_after(Unreachable("away")) <= 0.5
    now = 10.0
    assert waiting.over
    with pytest.raises(Unreachable):
        waiting.pause_after(Unreachable("away"))


def test_what_was_never_there_to_be_followed_is_said_at_once() -> None:
    now = 0.0
    following = Following("/x", ends=False, clock=lambda: now)
    assert 0 < following.closed() <= DOWN_SECONDS
    now = DOWN_SECONDS + 0.1
    with pytest.raises(Unreachable):
        following.closed()


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
    conversation = exchange(submission(command, {"priority": 0}))
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
    following = Following.one("jobs", JOB, "")
    assert "last-event-id" not in following.headers
    following.take(_said(1, "job.queued"))
    following.take(ServerSentEvent(id="7"))
    following.closed()

    assert following.headers["last-event-id"] == "7"
    assert not following.over


def test_a_jobs_stream_is_over_when_it_closes_after_the_end() -> None:
    following = Following.one("jobs", JOB, "")
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
    assert following.closed() > 0
    following.answered(GOOD)
    now += PATIENCE_SECONDS
    following.closed()
    now += 1
    with pytest.raises(Unreachable):
        following.closed()


def test_a_later_versions_event_moves_the_place_and_is_left_out() -> None:
    following = Following.one("jobs", JOB, "")

    assert following.take(ServerSentEvent(data='{"specversion": "2.0"}', id="9")) is None
    assert following.last_event_id == "9"


def test_a_search_says_of_each_clause_what_it_is() -> None:
    sent = json.loads(whole(SearchQuery(match=AllOf(clauses=(AllTerms(text="rent"), Phrase(text="of the roof"))))))

    assert [clause["op"] for clause in sent["match"]["clauses"]] == ["all_terms", "phrase"]
