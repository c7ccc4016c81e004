"""Generates the AsyncAPI 3.0 document from the event and message models: every event, on every channel."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.streams.websocket import PATH
from events.catalogue import EVENTS
from events.envelope import CloudEvent
from events.jobs import JobEvent
from events.streams import STREAM_STARTED, StreamStarted
from events.websocket import SERVER_MESSAGES
from schemas.model import Model
from schemas.problems import Problem
from schemas.websocket import REQUESTS

SCHEMA: Final = "#/components/schemas/{model}"
MESSAGE: Final = "#/components/messages/{name}"
CLOUD_EVENT: Final = "application/cloudevents+json"
JSON: Final = "application/json"
JOB_STREAM, TENANT_STREAM, SOCKET = "jobEvents", "tenantEvents", "socket"

_CHANNELS: Final = {
    JOB_STREAM: (
        "/api/jobs/{id}/events",
        "Server-Sent Events of one job, from its first event or from after `Last-Event-ID`, until it has ended.",
    ),
    TENANT_STREAM: (
        "/api/events",
        (
            "Server-Sent Events of all the tenant's jobs, from now on, as the first message says (`event: stream.started`), "
            "or from after `Last-Event-ID`: 0 is before the oldest event that is kept. `?type=search.*` filters."
        ),
    ),
    SOCKET: (
        PATH,
        (
            "A WebSocket with up to 1,000 subscriptions. Authenticate by header, or by the first message within 5 s. "
            "Closes with 4401 (not authenticated), 4403 (the key lacks a scope), 4408 (not authenticated in time), 4429 (too many requests), 1003 (not text), "
            "1008 (nothing is read), 1009 (a message above 64 KB), 1012 (the ingress restarts), 1013 (try again shortly)."
        ),
    ),
}

_MEANINGS: Final = {event.value: event.meaning for event in JobEvent}


def document(version: str) -> dict[str, Any]:
    """The whole document, as a JSON-serializable dict."""
    schemas, definitions = models_json_schema(list(_models()), ref_template=SCHEMA)
    events = {**{kind.value: None for kind in JobEvent}, **EVENTS}
    requests = {model.__name__: model for model in REQUESTS.values()}
    server_messages = {model.__name__: model for model in SERVER_MESSAGES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bucatini events",
            "version": version,
            "description": "What happens to jobs and documents, in CloudEvents 1.0. Each event comes once, in order, and "
            "a reader resumes from any place without loss or repeat. `/openapi.json` describes the requests.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {
            JOB_STREAM: _channel(JOB_STREAM, events),
            TENANT_STREAM: _channel(TENANT_STREAM, (*events, STREAM_STARTED)),
            SOCKET: {**_channel(SOCKET, (*requests, *server_messages)), "bindings": {"ws": {"method": "GET"}}},
        },
        "operations": {
            "followJob": _operation("send", JOB_STREAM, events, "Sends the events of a job."),
            "followTenant": _operation(
                "send", TENANT_STREAM, (*events, STREAM_STARTED), "Sends the events of all jobs."
            ),
            "tellWatcher": _operation(
                "send", SOCKET, server_messages, "Sends a client the events of its subscriptions."
            ),
            "hearWatcher": _operation("receive", SOCKET, requests, "Receives a client's requests."),
        },
        "components": {
            "messages": {
                **{kind: _event_message(kind, model, schemas) for kind, model in events.items()},
                STREAM_STARTED: _message(STREAM_STARTED, StreamStarted, schemas[StreamStarted, "serialization"]),
                **{name: _message(name, model, schemas[model, "validation"]) for name, model in requests.items()},
                **{
                    name: _message(name, model, schemas[model, "serialization"])
                    for name, model in server_messages.items()
                },
            },
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key or a read token."}
            },
        },
    }


Schemas = Mapping[Any, dict[str, Any]]
"""By (model, mode)."""


def _models() -> Iterable[tuple[type[Model], JsonSchemaMode]]:
    yield from (
        (model, "serialization") for model in (CloudEvent, Problem, StreamStarted, *EVENTS.values(), *SERVER_MESSAGES)
    )
    yield from ((model, "validation") for model in REQUESTS.values())


def _channel(name: str, messages: Iterable[str]) -> dict[str, Any]:
    address, description = _CHANNELS[name]
    channel: dict[str, Any] = {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": MESSAGE.format(name=message)} for message in messages},
    }
    if "{id}" in address:
        channel["parameters"] = {"id": {"description": "The job's id."}}
    return channel


def _operation(action: str, channel: str, messages: Iterable[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"} for message in messages],
        "security": [{"$ref": "#/components/securitySchemes/key"}],
    }


def _event_message(kind: str, model: type[Model] | None, schemas: Schemas) -> dict[str, Any]:
    """The message of one event type: its envelope and data, with its docstring as summary."""
    properties: dict[str, Any] = {"type": {"const": kind}}
    if model is not None:
        properties["data"] = schemas[model, "serialization"]
    payload = {"allOf": [schemas[CloudEvent, "serialization"], {"type": "object", "properties": properties}]}
    summary = _MEANINGS[kind] if model is None else _summary(model)
    return {"name": kind, "title": kind, "summary": summary, "contentType": CLOUD_EVENT, "payload": payload}


def _message(name: str, model: type[Model], schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "title": name, "summary": _summary(model), "contentType": JSON, "payload": schema}


def _summary(model: type[Model]) -> str:
    return " ".join((model.__doc__ or "").split())
