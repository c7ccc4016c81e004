"""The description of the events: whole, consistent, and true of what is written."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jsonschema_rs
import pytest

from api.documentation.asyncapi import document
from events.catalogue import EVENTS
from events.jobs import JobEvent
from events.streams import STREAM_STARTED
from events.websocket import SERVER_MESSAGES, Ended, Pong, Refused
from infrastructure.postgres.events.cloud_events import cloud_event_json
from schemas.problems import Problem
from schemas.websocket import REQUESTS, JobSubject

DOCUMENT = document("1.2.3")
JOB = uuid4()


def test_it_has_what_the_standard_requires() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"].keys() == {"$ref"}
    for channel in DOCUMENT["channels"].values():
        named = set(re.findall(r"{(\w+)}", channel["address"]))
        assert named == channel.get("parameters", {}).keys()
    assert all(re.fullmatch(r"[\w.-]+", name) for part in DOCUMENT["components"].values() for name in part)


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)))

    assert references
    for reference in references:
        place: Any = DOCUMENT
        for part in reference.split("/"):
            assert part in place, reference
            place = place[part]


def test_every_event_and_message_is_described() -> None:
    messages = DOCUMENT["components"]["messages"].keys()
    streams = DOCUMENT["channels"]["tenantEvents"]["messages"].keys()

    assert streams == {*JobEvent, *EVENTS, STREAM_STARTED}
    assert messages == {*streams, *(one.__name__ for one in (*REQUESTS.values(), *SERVER_MESSAGES))}


@pytest.mark.parametrize("kind", [JobEvent.RETRYING, "search.document_indexed"])
def test_an_event_as_it_is_written_fits_its_description(kind: str) -> None:
    data = '{"document_id": "a", "version": 1, "superseded": false}' if kind.startswith("search") else '{"attempt": 1}'
    event = json.loads(cloud_event_json(JOB, 3, kind, datetime(2026, 11, 22, tzinfo=UTC), data))

    assert _flaws(kind, event) == []
    assert _flaws(kind, {**event, "type": "something.else"}) != []


def test_a_message_as_it_is_written_fits_its_description() -> None:
    subject = JobSubject(job=UUID(int=1))
    for message in (
        Ended(ended=subject),
        Pong(pong="a"),
        Refused(problem=Problem.of("x", "X", 409), about=subject),
    ):
        written = json.loads(message.model_dump_json(exclude_none=True))
        assert _flaws(type(message).__name__, written) == []
    assert _flaws("Subscribe", {"subscribe": {"job": str(JOB), "after": 3}}) == []
    assert _flaws("Subscribe", {"subscribe": {"types": "search.*"}}) == []
    assert _flaws("Subscribe", {"subscribe": {"nothing": 1}}) != []


def _flaws(message: str, instance: Any) -> list[str]:
    schema = {**DOCUMENT["components"]["messages"][message]["payload"], "components": DOCUMENT["components"]}
    return [flaw.message for flaw in jsonschema_rs.Draft202012Validator(schema).iter_errors(instance)]


def test_every_event_says_when_it_fires_and_what_it_does_not_mean() -> None:
    messages = document("1")["components"]["messages"]
    for kind in (*EVENTS, *map(str, JobEvent)):
        assert len(messages[kind]["summary"]) > 60, kind
    for kind in EVENTS:
        assert "doesn't" in messages[kind]["summary"] or "doesn’t" in messages[kind]["summary"], kind
