"""`/api/ws`: a WebSocket with many subscriptions, to single jobs or to event types, each of which can resume.

`schemas.websocket` and `events.websocket` define the messages. The event sources are those of the SSE streams.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from api.auth.principal import Principal, Scope, allows
from api.dependencies import Dependencies
from api.dispatch import admitted
from api.http import problems
from api.http.problems import Refusal
from api.http.validation import model_of, parse_json
from api.middleware import ARRIVAL, Arrival
from api.streams.resume_tokens import position_from
from api.streams.sources import JobEventSource, TenantEventSource
from api.streams.subscribers import JobEvents, Room, TypedEvents
from api.streams.websocket_limits import Place, WebSocketLimits
from api.streams.websocket_writer import Closing, Left, Pace, SocketWriter, WebSocketSink, origin_allowed
from events.websocket import Authenticated, Ended, Pong, Refused, Subscribed, Unsubscribed
from infrastructure.concurrency.batching import Overloaded
from infrastructure.ports import Unavailable
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from monitoring.metrics import ingress as ingress_metrics
from schemas.websocket import (
    REQUESTS,
    Authenticate,
    JobFrom,
    JobSubject,
    Ping,
    Request,
    Subject,
    Subscribe,
    TypesFrom,
    Unsubscribe,
)

logger = logging.getLogger(__name__)

PATH: Final = "/api/ws"
SCOPE: Final = Scope.JOBS_READ
AUTHENTICATION_SECONDS = 5.0
CHECK_SECONDS = 5.0
"""Between two checks of whether the client still reads."""
UNREAD_SECONDS = 30.0
MAX_SUBSCRIPTIONS = 1_000
MAX_LEVELS = 8
MAX_WAITING = 1_024
MAX_WAITING_BYTES = 8_000_000
MESSAGES_PER_SECOND = 50.0
MESSAGES_AT_ONCE = 1_200
"""The burst: enough for every subscription at once. Beyond it the client is read at MESSAGES_PER_SECOND."""


class WebSocketEndpoint:
    """The ASGI application of the WebSocket endpoint."""

    def __init__(self) -> None:
        self._limits = WebSocketLimits()

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        ingress: Dependencies = scope["state"]["ingress"]
        arrival: Arrival = scope[ARRIVAL]
        if not origin_allowed(arrival.headers, ingress.settings.allowed_origins):
            raise problems.origin_not_allowed()
        authorization = arrival.headers.get("authorization")
        principal = None if authorization is None else await ingress.credentials.authenticate(authorization)
        if principal is not None:
            tenant = await ingress.tenants.of(principal.tenant_id)
            admitted(ingress.rates, principal, tenant.limits)
            if not allows(principal, SCOPE):
                raise problems.scope_missing(SCOPE)
        with self._limits.place(principal) as place:
            await receive()
            await send({"type": "websocket.accept"})
            with ingress_metrics.socket_open():
                await _WebSocketSession(ingress, receive, send).run(principal, place)


class _WebSocketSession:
    """One connection: a task that reads requests, one that checks limits, and one for each subscription."""

    def __init__(self, ingress: Dependencies, receive: Receive, send: Send) -> None:
        self._ingress = ingress
        self._receive = receive
        self._writer = SocketWriter(send)
        self._room = Room(MAX_WAITING, MAX_WAITING_BYTES)
        self._catching_up = asyncio.Lock()
        self._pace = Pace(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        self._subscriptions: dict[Subject, asyncio.Task[None]] = {}

    async def run(self, principal: Principal | None, place: Place) -> None:
        try:
            principal = principal or await self._authenticated(place)
            tenant = await self._ingress.tenants.of(principal.tenant_id)
            with self._ingress.streams.one_more(principal.tenant_id, tenant.limits.streams):
                await self._watch(principal)
        except Closing as closing:
            await self._writer.close(closing)
        except QuotaExceeded as error:
            ingress_metrics.quota_refused(error.quota)
            await self._writer.close(Closing(4429, f"{error}; an operator can raise the limit"))
        except Left:
            return

    async def _authenticated(self, place: Place) -> Principal:
        try:
            async with asyncio.timeout(AUTHENTICATION_SECONDS):
                request = await self._next()
                if not isinstance(request, Authenticate):
                    raise Closing(4401, "authenticate first")
                principal = await self._ingress.credentials.principal_with(request.authenticate.get_secret_value())
                tenant = await self._ingress.tenants.of(principal.tenant_id)
        except TimeoutError:
            raise Closing(4408, f"not authenticated within {AUTHENTICATION_SECONDS:g} s") from None
        except Refusal as refusal:
            raise Closing(4401, refusal.problem.title) from None
        except (Unavailable, Overloaded):
            raise Closing(1013, "try again shortly") from None
        if self._ingress.rates.admit(principal, tenant.limits.requests_per_minute).wait_seconds:
            raise Closing(4429, "too many requests; try again later")
        if not allows(principal, SCOPE):
            raise Closing(4403, f"the key lacks the scope {SCOPE}")
        try:
            place.give_to(principal)
        except Refusal as refusal:
            raise Closing(4429, refusal.problem.detail) from None
        await self._writer.send_message(Authenticated())
        return principal

    async def _watch(self, principal: Principal) -> None:
        """Serves the connection. Always ends by raising Closing or Left."""
        invalid = asyncio.Event()
        tasks = (
            self._begin(self._read(principal), "reads a socket"),
            self._begin(self._guard(invalid), "guards a socket"),
        )
        try:
            with self._ingress.credentials.while_valid(principal, invalid.set):
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end((*tasks, *self._subscriptions.values()))
            self._writer.count()
        for task in done:
            task.result()

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name)

    async def _read(self, principal: Principal) -> None:
        while True:
            await asyncio.sleep(self._pace.wait_seconds())
            try:
                await self._answer(principal, await self._next())
            except Refusal as refusal:
                await self._writer.send_message(Refused(problem=refusal.problem))

    async def _next(self) -> Request:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Left
        text = message.get("text")
        if text is None:
            raise Closing(1003, "send text, not bytes")
        return _request(text.encode("utf-8", "replace"))

    async def _answer(self, principal: Principal, request: Request) -> None:
        match request:
            case Subscribe(subscribe=target):
                await self._subscribe(principal, target)
            case Unsubscribe(unsubscribe=subject):
                await self._unsubscribe(subject)
            case Ping(ping=text):
                await self._writer.send_message(Pong(pong=text))
            case Authenticate():
                raise problems.already_authenticated()

    async def _subscribe(self, principal: Principal, target: JobFrom | TypesFrom) -> None:
        subject = target.subject
        if subject in self._subscriptions:
            await self._refuse(problems.already_subscribed(), subject)
        elif len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            await self._refuse(problems.too_many_subscriptions(MAX_SUBSCRIPTIONS), subject)
        else:
            self._subscriptions[subject] = self._begin(self._follow(principal, target), "follows for a socket")

    async def _unsubscribe(self, subject: Subject) -> None:
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            await _end((subscription,))
        await self._writer.send_message(Unsubscribed(unsubscribed=subject))

    async def _refuse(self, refusal: Refusal, subject: Subject) -> None:
        await self._writer.send_message(Refused(problem=refusal.problem, about=subject))

    async def _follow(self, principal: Principal, target: JobFrom | TypesFrom) -> None:
        """Runs one subscription to its end, then sends why it ended."""
        subject = target.subject
        try:
            with ingress_metrics.socket_subscription():
                last = await self._stream(principal, target)
        except Refusal as refusal:
            last = Refused(problem=refusal.problem, about=subject)
        except Unavailable as error:
            last = Refused(problem=problems.unavailable(error.retry_after_seconds), about=subject)
        except Overloaded:
            last = Refused(problem=problems.overloaded(), about=subject)
        except Left:
            return
        except Exception:  # The task's edge: the other subscriptions go on.
            logger.exception("WebSocket subscription failed")
            last = Refused(problem=problems.subscription_failed(), about=subject)
        if self._subscriptions.get(subject) is asyncio.current_task():
            # Before the message is sent, so that the client may subscribe again once it has it.
            del self._subscriptions[subject]
        if last is not None:
            await self._writer.send_if_connected(last)

    async def _stream(self, principal: Principal, target: JobFrom | TypesFrom) -> Ended | Refused | None:
        source: JobEventSource | TenantEventSource
        wants: JobEvents | TypedEvents
        if principal.only_job is not None and target.subject != JobSubject(job=principal.only_job):
            raise (problems.not_found("job") if isinstance(target, JobFrom) else problems.read_token_only_watches())
        match target:
            case JobFrom(job=job_id, after=seq):
                source, wants = JobEventSource(self._ingress, principal.tenant_id, job_id, seq), JobEvents(job_id)
                async with self._catching_up:
                    if not await source.begin():
                        raise problems.not_found("job")
            case TypesFrom(types=pattern, after=token):
                wants = TypedEvents(pattern)
                source = TenantEventSource(self._ingress, principal.tenant_id, wants, position_from(token))
        sink = WebSocketSink(self._writer, self._catching_up, target.subject)
        async with self._ingress.hub.subscribe(principal.tenant_id, wants, self._room) as subscriber:
            await self._writer.send_message(Subscribed(subscribed=target.subject))
            await source.stream(sink, subscriber)
            over = isinstance(source, JobEventSource) and not subscriber.ended
        return Ended(ended=JobSubject(job=target.job)) if over and isinstance(target, JobFrom) else None

    async def _guard(self, invalid: asyncio.Event) -> None:
        while not invalid.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await invalid.wait()
            self._writer.count()
            if self._writer.blocked_seconds >= UNREAD_SECONDS:
                raise Closing(1008, "nothing is read")
        raise Closing(4401, "the key is no longer valid")


def _request(message: bytes) -> Request:
    """Parses a message into its request. Raises a Refusal when it is invalid."""
    fields = parse_json(message, MAX_LEVELS)
    names = list(fields) if isinstance(fields, dict) else []
    if len(names) != 1 or names[0] not in REQUESTS:
        raise problems.not_a_request(list(REQUESTS))
    return model_of(REQUESTS[names[0]], fields)


async def _end(tasks: tuple[asyncio.Task[None], ...]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
