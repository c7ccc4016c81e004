"""Dispatches requests to endpoints: who asks, may they, is the body fit, and did it take too long."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from api.auth.principal import Principal, allows
from api.auth.tenants import check_tenant
from api.dependencies import Dependencies
from api.endpoint import AnyEndpoint, Call, Empty, Streamed, Uploads
from api.http import document_problems, problems
from api.http.json_body import is_compressed, is_json, read_json
from api.http.responses import JSON, Answer, Header, problem_answer, send_answer
from api.http.routing import IdRoute
from api.http.validation import query_model, token_in
from api.middleware import ARRIVAL, UNREAD, Arrival
from api.rate_limits import RATE_HEADERS, RateLimits
from api.streams.long_poll import wanted_seconds
from api.uploads.body_stream import BodyStream, Pause, UploadLimits
from api.uploads.media_types import MULTIPART, media_type_of
from infrastructure.settings import Settings
from schemas.bounds import MAX_BATCH_VALUES, MAX_FREE_VALUES
from schemas.model import Model
from schemas.tenants import Limits

SLOW_BODY_SECONDS = 1.0
"""A body that took longer to arrive has its sender's key checked again: it may have been revoked meanwhile."""
FORM_BYTES = 1_000_000
"""What a form may have beside its files: fields, headers and boundaries."""

ANONYMOUS = Principal(tenant_id=UUID(int=0), key_id="", scopes=frozenset())
"""The principal of endpoints without authentication. It owns no rows."""


def routes(endpoints: Iterable[AnyEndpoint]) -> list[Route]:
    """One route per path, so that a 405 can name every method of that path in `Allow`."""
    by_path: dict[str, dict[str, AnyEndpoint]] = {}
    for endpoint in endpoints:
        for path in (endpoint.path, *endpoint.aliases):
            by_path.setdefault(path, {})[endpoint.method] = endpoint
    return [_route(path, methods) for path, methods in by_path.items()]


def _route(path: str, methods: Mapping[str, AnyEndpoint]) -> Route:
    if any(one.among_ids for one in methods.values()):
        return IdRoute(path, _Address(methods), methods=frozenset(methods))
    if any(one.slashes for one in methods.values()):
        return IdRoute(path, _Address(methods))
    return Route(path, _Address(methods))


class _Address:
    """The ASGI application behind one path."""

    def __init__(self, methods: Mapping[str, AnyEndpoint]) -> None:
        self._methods = methods
        self._allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        method = scope["method"]
        endpoint = self._methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise problems.method_not_allowed(self._allowed)
        if method == "HEAD":
            _ignore_range(scope)
        answer = await _with_timeout(endpoint, scope, receive)
        if isinstance(answer, Answer):
            await send_answer(send, answer)
        elif method == "HEAD":
            # No content-length here: the stream has none, or has it among its own headers.
            await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await answer.run(receive, send)


def _ignore_range(scope: Connection) -> None:
    """GET alone has ranges (RFC 9110, section 14.2)."""
    arrival: Arrival = scope[ARRIVAL]
    if "range" in arrival.headers:
        kept = {name: value for name, value in arrival.headers.items() if name != "range"}
        scope[ARRIVAL] = replace(arrival, headers=kept)


async def _with_timeout(endpoint: AnyEndpoint, scope: Connection, receive: Receive) -> Answer | Streamed:
    arrival: Arrival = scope[ARRIVAL]
    waited = wanted_seconds(arrival.headers) if "prefer" in endpoint.headers else None
    seconds = endpoint.seconds + (waited or 0)
    uploads = None if is_json(arrival.headers.get("content-type", "")) else endpoint.uploads
    received = False
    scope[UNREAD] = uploads is not None

    async def receive_and_note_end() -> Any:
        nonlocal received
        message = await receive()
        received = not message.get("more_body", False)
        scope[UNREAD] = uploads is not None and not received
        return message

    try:
        async with asyncio.timeout(seconds) as timer:
            if uploads is not None:
                return await _answer_upload(endpoint, uploads, scope, arrival, receive_and_note_end, timer, seconds)
            return await _answer(endpoint, scope, arrival, receive_and_note_end)
    except TimeoutError:
        if endpoint.body is not None and not received:
            raise problems.body_too_slow() from None
        return problem_answer(problems.timed_out(endpoint.seconds))


async def _answer(endpoint: AnyEndpoint, scope: Connection, arrival: Arrival, receive: Receive) -> Answer | Streamed:
    """Runs the checks from the cheapest on: the body of an unauthenticated request is never read."""
    ingress: Dependencies = scope["state"]["ingress"]
    principal = await _principal(endpoint, scope, arrival)
    query = query_model(endpoint.query or Empty, scope["query_string"])
    body: Model = Empty()
    if endpoint.body is not None:
        began = time.monotonic()
        settings = ingress.settings
        body = await read_json(
            endpoint.body,
            receive,
            arrival.headers,
            max_bytes=settings.max_batch_body_bytes if endpoint.many else settings.max_body_bytes,
            max_values=MAX_BATCH_VALUES if endpoint.many else MAX_FREE_VALUES,
        )
        if principal is not ANONYMOUS and time.monotonic() - began > SLOW_BODY_SECONDS:
            await ingress.credentials.recheck(principal)
            tenant = await ingress.tenants.of(principal.tenant_id)
            check_tenant(tenant, endpoint.scope, answers_suspended=endpoint.answers_suspended)
    return await endpoint.handle(_call(scope, arrival, principal, query, body))


async def _answer_upload(
    endpoint: AnyEndpoint,
    uploads: Uploads[Any],
    scope: Connection,
    arrival: Arrival,
    receive: Receive,
    timeout: asyncio.Timeout,
    seconds: float,
) -> Answer:
    """Nothing of the body is read before it is known that it may come."""
    ingress: Dependencies = scope["state"]["ingress"]
    principal = await _principal(endpoint, scope, arrival)
    query = query_model(endpoint.query or Empty, scope["query_string"])
    limits = _upload_limits(uploads, ingress.settings, arrival.headers)
    with ExitStack() as place:  # It is given back when the body has arrived, since the handler may wait for a job then.
        stream = BodyStream(
            receive, limits, arrival.headers.get("content-length"), Pause(timeout, seconds, place.close)
        )
        place.enter_context(ingress.uploads.one_more(principal.tenant_id))
        with ingress.credentials.while_valid(principal, lambda: stream.stop(problems.unauthenticated())):
            return await uploads.handle(_call(scope, arrival, principal, query, Empty()), stream)


def _upload_limits(uploads: Uploads[Any], settings: Settings, headers: Mapping[str, str]) -> UploadLimits:
    kind = media_type_of(headers.get("content-type", ""))
    is_form = kind == MULTIPART
    # In a charset that JSON hasn't. To store it as a file would surprise whoever meant its fields.
    if kind.encode() == JSON:
        raise problems.unsupported_media_type()
    if is_compressed(headers) or not (is_form or uploads.raw):
        raise document_problems.unsupported_upload()
    return UploadLimits(
        max_bytes=settings.max_upload_bytes + (FORM_BYTES if is_form else 0),
        idle_seconds=settings.upload_idle_seconds,
        total_seconds=settings.upload_seconds,
    )


def _call(scope: Connection, arrival: Arrival, principal: Principal, query: Model, body: Model) -> Call[Any, Any]:
    return Call(
        scope["state"]["ingress"],
        principal,
        scope["path_params"],
        query,
        body,
        arrival.headers,
        arrival.correlation_id,
        arrival.trace,
    )


async def _principal(endpoint: AnyEndpoint, scope: Connection, arrival: Arrival) -> Principal:
    if endpoint.scope is None:
        return ANONYMOUS
    ingress: Dependencies = scope["state"]["ingress"]
    credentials = ingress.credentials
    authorization = arrival.headers.get("authorization")
    if authorization is None and endpoint.token_in_query:
        principal = await credentials.principal_with_read_token(token_in(scope["query_string"]))
    else:
        principal = await credentials.authenticate(authorization)
    tenant = await ingress.tenants.of(principal.tenant_id)
    scope[RATE_HEADERS] = admitted(ingress.rates, principal, tenant.limits)
    if principal.only_job is not None and not endpoint.for_watchers:
        raise problems.read_token_only_watches()
    if not allows(principal, endpoint.scope):
        raise problems.scope_missing(endpoint.scope)
    check_tenant(tenant, endpoint.scope, answers_suspended=endpoint.answers_suspended)
    if principal.only_job is not None and _id_in(scope["path_params"]["id"]) != principal.only_job:
        raise problems.not_found("job")
    return principal


def _id_in(part: str) -> UUID | None:
    """The path parameter as a UUID in any of its spellings; None if it isn't one."""
    try:
        return UUID(part)
    except ValueError:
        return None


def admitted(rates: RateLimits, principal: Principal, limits: Limits) -> tuple[Header, ...]:
    """Counts the request and returns the rate limit headers. Raises a Refusal (429) with them when a limit is reached."""
    verdict = rates.admit(principal, limits.requests_per_minute)
    if verdict.wait_seconds:
        raise problems.too_many_requests(verdict.limited, verdict.limit, verdict.wait_seconds, verdict.headers)
    return verdict.headers
