"""The middleware, with handlers that fail in every way."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.routing import Router
from starlette.types import Message

from api.auth.principal import Scope
from api.dispatch import routes
from api.endpoint import AnyEndpoint, Call, Empty, Endpoint
from api.http.responses import Answer
from api.middleware import Middleware
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.settings import Settings
from schemas.model import Model

SECRET = "Zyzzyva4711"


class Body(Model):
    text: str


Handle = Callable[[Call[Any, Any]], Awaitable[Answer]]


def _endpoint(handle: Handle, *, body: type[Model] | None = None, seconds: float = 5.0) -> AnyEndpoint:
    return Endpoint(
        method="POST", path="/x", summary="", handle=handle, answers={}, scope=None, body=body, seconds=seconds
    )


class _Ingress:
    """The dependencies that an endpoint without authentication needs."""

    settings = Settings(database_url=SecretStr("none"))


def _ask(
    endpoint: AnyEndpoint, *messages: Message, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer."""
    application = Middleware(Router(routes=routes([endpoint])))
    unread = iter(messages or ({"type": "http.request", "body": b""},))
    sent: list[Message] = []

    async def receive() -> Message:
        for message in unread:
            return message
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": endpoint.method,
        "path": endpoint.path,
        "root_path": "",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "x", **(headers or {})}.items()],
        "state": {"ingress": _Ingress()},
    }
    asyncio.run(application(scope, receive, send))
    if not sent:
        return 0, {}
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]) or b"{}")


def _raising(error: Exception) -> AnyEndpoint:
    async def handle(call: Call[Empty, Empty]) -> Answer:
        raise error

    return _endpoint(handle)


def test_an_unhandled_exception_gives_its_caller_a_correlation_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        status, problem = _ask(_raising(RuntimeError(SECRET)))

    assert status == 500
    assert problem["type"].endswith("/internal")
    assert SECRET not in json.dumps(problem)
    assert "Traceback" not in json.dumps(problem)
    assert "correlation id" in problem["detail"]
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_an_unavailable_or_overloaded_service_says_when_to_try_again() -> None:
    away = _ask(_raising(Unavailable("PostgreSQL is away", retry_after_seconds=7)))
    full = _ask(_raising(Overloaded("20000 wait")))
    unstorable = _ask(_raising(Unstorable("a value")))

    assert (away[0], away[1]["retry_after_seconds"]) == (503, 7)
    assert (full[0], full[1]["type"].rpartition("/")[2]) == (503, "overloaded")
    assert (unstorable[0], unstorable[1]["type"].rpartition("/")[2]) == (422, "unstorable")


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async def handle(call: Call[Empty, Empty]) -> Answer:
        await asyncio.Event().wait()
        return Answer(200)

    status, problem = _ask(_endpoint(handle, seconds=0.05))

    assert (status, problem["type"].rpartition("/")[2]) == (504, "timed-out")


def test_a_body_that_never_comes_whole_is_given_up() -> None:
    async def handle(call: Call[Body, Empty]) -> Answer:
        raise AssertionError("there is no body")

    begun: Message = {"type": "http.request", "body": b'{"text":', "more_body": True}
    status, problem = _ask(_endpoint(handle, body=Body, seconds=0.05), begun)

    assert (status, problem["type"].rpartition("/")[2]) == (408, "body-too-slow")


def test_a_client_that_disconnected_gets_no_answer() -> None:
    async def handle(call: Call[Body, Empty]) -> Answer:
        raise AssertionError("there is no body")

    assert _ask(_endpoint(handle, body=Body), {"type": "http.disconnect"}) == (0, {})


def test_every_scope_is_a_word_a_key_may_have() -> None:
    assert {scope.value for scope in Scope} == {
        "jobs:read",
        "jobs:read_content",
        "jobs:write",
        "search:read",
        "search:write",
        "documents:read",
        "documents:write",
        "ai:read",
        "ai:write",
        "keys:write",
        "webhooks:write",
        "events:consume",
        "admin",
        "tenants:admin",
    }
