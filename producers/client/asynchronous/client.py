"""The client for asyncio. A resource is loaded when it is used: a call from a terminal needs one or two of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

import httpx
from httpx_sse import EventSource

from events.envelope import CloudEvent
from producers.client import address
from producers.client.asynchronous.typed_jobs import AsyncTypedJobs
from producers.client.downloads import Downloading
from producers.client.exchange import NoReply, Outcome, Pause, Reply, Request, exchange, parsed
from producers.client.sse import Following
from producers.client.transport import (
    BROKEN_STREAM,
    arguments_for,
    http_arguments,
    no_reply,
    opened,
    reply_of,
    socket_arguments,
    stream_timeout,
)
from schemas.model import Model

if TYPE_CHECKING:
    from producers.client.asynchronous.ai import AsyncAi
    from producers.client.asynchronous.api_keys import AsyncApiKeys
    from producers.client.asynchronous.batches import AsyncBatches
    from producers.client.asynchronous.documents import AsyncDocuments
    from producers.client.asynchronous.events import AsyncEvents
    from producers.client.asynchronous.failures import AsyncFailures
    from producers.client.asynchronous.groups import AsyncGroups
    from producers.client.asynchronous.health import AsyncHealth
    from producers.client.asynchronous.holds import AsyncHolds
    from producers.client.asynchronous.keys import AsyncKeys
    from producers.client.asynchronous.prompts import AsyncPrompts
    from producers.client.asynchronous.schedules import AsyncSchedules
    from producers.client.asynchronous.search import AsyncSearch
    from producers.client.asynchronous.tenants import AsyncTenants
    from producers.client.asynchronous.webhooks import AsyncWebhooks
    from producers.client.asynchronous.workflow import AsyncWorkflow

M = TypeVar("M", bound=Model)


class AsyncBucatini:
    """The client for asyncio, a resource an attribute. It belongs to the event loop in which it is used first.

        async with AsyncBucatini() as bucatini:  # BUCATINI_URL and BUCATINI_API_KEY
            job = await bucatini.submit(ProcessDocument(title="Lease", text=text))
            print((await job.result(timeout_seconds=60)).parties)

    What isn't given is read from BUCATINI_URL and BUCATINI_API_KEY; Misconfigured where nothing could be asked with it.
    Everything that a call raises is a BucatiniError. What is safe to repeat is, with back-off: after a connection that
    broke, and after 429, 502, 503 and 504, as `Retry-After` asks. A server that is down is said within two seconds.

    `timeout_seconds` is what the ingress gets for a response that it doesn't hold back on purpose.
    An ingress on this machine is asked directly, whatever the environment says of proxies.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = address.TIMEOUT_SECONDS,
        connect_timeout_seconds: float = address.CONNECT_TIMEOUT_SECONDS,
    ) -> None:
        access = address.access(url, api_key, timeout_seconds, connect_timeout_seconds)
        self._access = access
        self._http = opened(access, lambda: httpx.AsyncClient(**http_arguments(access)))
        self.jobs = AsyncTypedJobs(self)
        """Submit jobs, wait for what they bring, see, follow, cancel and replay them."""
        self.submit = self.jobs.submit
        """What most callers come for: the same as `jobs.submit`."""

    @cached_property
    def batches(self) -> "AsyncBatches":
        """Many commands at once."""
        from producers.client.asynchronous.batches import AsyncBatches

        return AsyncBatches(self, self.jobs)

    @cached_property
    def documents(self) -> "AsyncDocuments":
        """What is uploaded, kept and found."""
        from producers.client.asynchronous.documents import AsyncDocuments

        return AsyncDocuments(self, self.jobs)

    @cached_property
    def ai(self) -> "AsyncAi":
        """What models cost, and your own keys of their providers."""
        from producers.client.asynchronous.ai import AsyncAi

        return AsyncAi(self)

    @cached_property
    def prompts(self) -> "AsyncPrompts":
        """What models are asked, in versions that labels point to."""
        from producers.client.asynchronous.prompts import AsyncPrompts

        return AsyncPrompts(self)

    @cached_property
    def schedules(self) -> "AsyncSchedules":
        """Commands that are handed in again and again."""
        from producers.client.asynchronous.schedules import AsyncSchedules

        return AsyncSchedules(self)

    @cached_property
    def events(self) -> "AsyncEvents":
        """What happens to your jobs, as it happens."""
        from producers.client.asynchronous.events import AsyncEvents

        return AsyncEvents(self)

    @cached_property
    def groups(self) -> "AsyncGroups":
        """Events shared among the members of a service, each acknowledged by one."""
        from producers.client.asynchronous.groups import AsyncGroups

        return AsyncGroups(self)

    @cached_property
    def tenants(self) -> "AsyncTenants":
        """All tenants, for an operator's key."""
        from producers.client.asynchronous.tenants import AsyncTenants

        return AsyncTenants(self)

    @cached_property
    def webhooks(self) -> "AsyncWebhooks":
        """Where your events are sent."""
        from producers.client.asynchronous.webhooks import AsyncWebhooks

        return AsyncWebhooks(self)

    @cached_property
    def failures(self) -> "AsyncFailures":
        """What failed and why, and running it again."""
        from producers.client.asynchronous.failures import AsyncFailures

        return AsyncFailures(self)

    @cached_property
    def holds(self) -> "AsyncHolds":
        """What keeps jobs of yours from running."""
        from producers.client.asynchronous.holds import AsyncHolds

        return AsyncHolds(self)

    @cached_property
    def api_keys(self) -> "AsyncApiKeys":
        """Who may ask for you, and what."""
        from producers.client.asynchronous.api_keys import AsyncApiKeys

        return AsyncApiKeys(self)

    @cached_property
    def keys(self) -> "AsyncKeys":
        """What your texts are sealed with."""
        from producers.client.asynchronous.keys import AsyncKeys

        return AsyncKeys(self)

    @cached_property
    def search(self) -> "AsyncSearch":
        """Finding what was indexed."""
        from producers.client.asynchronous.search import AsyncSearch

        return AsyncSearch(self)

    @cached_property
    def workflow(self) -> "AsyncWorkflow":
        """How far a workflow is."""
        from producers.client.asynchronous.workflow import AsyncWorkflow

        return AsyncWorkflow(self)

    @cached_property
    def health(self) -> "AsyncHealth":
        """Whether the ingress is up, and what it needs."""
        from producers.client.asynchronous.health import AsyncHealth

        return AsyncHealth(self)

    async def send(self, request: Request) -> Reply:
        """The reply, tried again where that helps. ProblemAnswer or Unreachable."""
        steps = exchange(request)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                reply: Reply = end.value
                return reply
            match step:
                case Request():
                    outcome = await self._try(step)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                    outcome = None

    async def ask(self, answer: type[M], request: Request) -> M:
        """The reply, read. UnreadableResponse when it can't be."""
        return parsed(answer, await self.send(request))

    async def follow(self, following: Following) -> AsyncIterator[CloudEvent]:
        """The events of a stream, across connections that break."""
        timeout = stream_timeout(self._access)
        while not following.over:
            broken: Exception | None = None
            try:
                headers = following.headers
                async with self._http.stream("GET", following.path, headers=headers, timeout=timeout) as response:
                    if response.is_error:
                        await response.aread()
                    if following.answered(reply_of(response)):
                        async for said in EventSource(response).aiter_sse():
                            if (event := following.take(said)) is not None:
                                yield event
            except BROKEN_STREAM as error:
                broken = error  # Whether it is broken for good is decided by how long it stays broken.
            await asyncio.sleep(following.closed(broken))

    async def download(self, downloading: Downloading) -> AsyncIterator[bytes]:
        """The content, across connections that break."""
        timeout = stream_timeout(self._access)
        while not downloading.over:
            broken: Exception | None = None
            try:
                headers = downloading.headers
                async with self._http.stream("GET", downloading.path, headers=headers, timeout=timeout) as response:
                    if response.is_error:
                        await response.aread()
                    if downloading.answered(reply_of(response)):
                        async for chunk in response.aiter_raw():
                            yield downloading.take(chunk)
                        downloading.end()
            except BROKEN_STREAM as error:
                broken = error
            if not downloading.over:
                await asyncio.sleep(downloading.closed(broken))

    async def watch(self, jobs: Iterable[UUID], types: Iterable[str]) -> AsyncIterator[CloudEvent]:
        """The events of many jobs over one WebSocket, across connections that break."""
        # Loaded by those who watch: it is a third of what all the rest of the client loads.
        from websockets.asyncio.client import connect

        from producers.client.websocket import BROKEN_SOCKET, Watching, socket_url

        watching = Watching(jobs, types)
        url = socket_url(self._access.url)
        while not watching.over:
            broken: BaseException | None = None
            try:
                async with connect(url, **socket_arguments(self._access)) as socket:
                    for message in watching.opening():
                        await socket.send(message)
                    while not watching.over:
                        if (event := watching.take(await socket.recv())) is not None:
                            yield event
            except BROKEN_SOCKET as error:
                broken = error
            if not watching.over:
                await asyncio.sleep(watching.closed(broken))

    async def _try(self, request: Request) -> Reply | NoReply:
        arguments = arguments_for(request, self._access)
        try:
            return reply_of(await self._http.request(request.method, request.path, **arguments))
        except httpx.TransportError as error:
            return no_reply(error)
        finally:
            if request.form is not None:
                request.form.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
