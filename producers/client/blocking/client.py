# Generated from asynchronous/client.py by `python -m producers.packaging`: edit that one.
"""The blocking client. A resource is loaded when it is used: a call from a terminal needs one or two of them."""

import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

import httpx
from httpx_sse import EventSource

from events.envelope import CloudEvent
from producers.client import address
from producers.client.blocking.typed_jobs import TypedJobs
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
    from producers.client.blocking.ai import Ai
    from producers.client.blocking.api_keys import ApiKeys
    from producers.client.blocking.batches import Batches
    from producers.client.blocking.documents import Documents
    from producers.client.blocking.events import Events
    from producers.client.blocking.failures import Failures
    from producers.client.blocking.groups import Groups
    from producers.client.blocking.health import Health
    from producers.client.blocking.holds import Holds
    from producers.client.blocking.keys import Keys
    from producers.client.blocking.prompts import Prompts
    from producers.client.blocking.schedules import Schedules
    from producers.client.blocking.search import Search
    from producers.client.blocking.tenants import Tenants
    from producers.client.blocking.webhooks import Webhooks
    from producers.client.blocking.workflow import Workflow

M = TypeVar("M", bound=Model)


class Bucatini:
    """The blocking client, a resource an attribute. Threads may share it.

        with Bucatini() as bucatini:  # BUCATINI_URL and BUCATINI_API_KEY
            job = bucatini.submit(ProcessDocument(title="Lease", text=text))
            print((job.result(timeout_seconds=60)).parties)

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
        self._http = opened(access, lambda: httpx.Client(**http_arguments(access)))
        self.jobs = TypedJobs(self)
        """Submit jobs, wait for what they bring, see, follow, cancel and replay them."""
        self.submit = self.jobs.submit
        """What most callers come for: the same as `jobs.submit`."""

    @cached_property
    def batches(self) -> "Batches":
        """Many commands at once."""
        from producers.client.blocking.batches import Batches

        return Batches(self, self.jobs)

    @cached_property
    def documents(self) -> "Documents":
        """What is uploaded, kept and found."""
        from producers.client.blocking.documents import Documents

        return Documents(self, self.jobs)

    @cached_property
    def ai(self) -> "Ai":
        """What models cost, and your own keys of their providers."""
        from producers.client.blocking.ai import Ai

        return Ai(self)

    @cached_property
    def prompts(self) -> "Prompts":
        """What models are asked, in versions that labels point to."""
        from producers.client.blocking.prompts import Prompts

        return Prompts(self)

    @cached_property
    def schedules(self) -> "Schedules":
        """Commands that are handed in again and again."""
        from producers.client.blocking.schedules import Schedules

        return Schedules(self)

    @cached_property
    def events(self) -> "Events":
        """What happens to your jobs, as it happens."""
        from producers.client.blocking.events import Events

        return Events(self)

    @cached_property
    def groups(self) -> "Groups":
        """Events shared among the members of a service, each acknowledged by one."""
        from producers.client.blocking.groups import Groups

        return Groups(self)

    @cached_property
    def tenants(self) -> "Tenants":
        """All tenants, for an operator's key."""
        from producers.client.blocking.tenants import Tenants

        return Tenants(self)

    @cached_property
    def webhooks(self) -> "Webhooks":
        """Where your events are sent."""
        from producers.client.blocking.webhooks import Webhooks

        return Webhooks(self)

    @cached_property
    def failures(self) -> "Failures":
        """What failed and why, and running it again."""
        from producers.client.blocking.failures import Failures

        return Failures(self)

    @cached_property
    def holds(self) -> "Holds":
        """What keeps jobs of yours from running."""
        from producers.client.blocking.holds import Holds

        return Holds(self)

    @cached_property
    def api_keys(self) -> "ApiKeys":
        """Who may ask for you, and what."""
        from producers.client.blocking.api_keys import ApiKeys

        return ApiKeys(self)

    @cached_property
    def keys(self) -> "Keys":
        """What your texts are sealed with."""
        from producers.client.blocking.keys import Keys

        return Keys(self)

    @cached_property
    def search(self) -> "Search":
        """Finding what was indexed."""
        from producers.client.blocking.search import Search

        return Search(self)

    @cached_property
    def workflow(self) -> "Workflow":
        """How far a workflow is."""
        from producers.client.blocking.workflow import Workflow

        return Workflow(self)

    @cached_property
    def health(self) -> "Health":
        """Whether the ingress is up, and what it needs."""
        from producers.client.blocking.health import Health

        return Health(self)

    def send(self, request: Request) -> Reply:
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
                    outcome = self._try(step)
                case Pause(seconds):
                    time.sleep(seconds)
                    outcome = None

    def ask(self, answer: type[M], request: Request) -> M:
        """The reply, read. UnreadableResponse when it can't be."""
        return parsed(answer, self.send(request))

    def follow(self, following: Following) -> Iterator[CloudEvent]:
        """The events of a stream, across connections that break."""
        timeout = stream_timeout(self._access)
        while not following.over:
            broken: Exception | None = None
            try:
                headers = following.headers
                with self._http.stream("GET", following.path, headers=headers, timeout=timeout) as response:
                    if response.is_error:
                        response.read()
                    if following.answered(reply_of(response)):
                        for said in EventSource(response).iter_sse():
                            if (event := following.take(said)) is not None:
                                yield event
            except BROKEN_STREAM as error:
                broken = error  # Whether it is broken for good is decided by how long it stays broken.
            time.sleep(following.closed(broken))

    def download(self, downloading: Downloading) -> Iterator[bytes]:
        """The content, across connections that break."""
        timeout = stream_timeout(self._access)
        while not downloading.over:
            broken: Exception | None = None
            try:
                headers = downloading.headers
                with self._http.stream("GET", downloading.path, headers=headers, timeout=timeout) as response:
                    if response.is_error:
                        response.read()
                    if downloading.answered(reply_of(response)):
                        for chunk in response.iter_raw():
                            yield downloading.take(chunk)
                        downloading.end()
            except BROKEN_STREAM as error:
                broken = error
            if not downloading.over:
                time.sleep(downloading.closed(broken))

    def watch(self, jobs: Iterable[UUID], types: Iterable[str]) -> Iterator[CloudEvent]:
        """The events of many jobs over one WebSocket, across connections that break."""
        # Loaded by those who watch: it is a third of what all the rest of the client loads.
        from websockets.sync.client import connect

        from producers.client.websocket import BROKEN_SOCKET, Watching, socket_url

        watching = Watching(jobs, types)
        url = socket_url(self._access.url)
        while not watching.over:
            broken: BaseException | None = None
            try:
                with connect(url, **socket_arguments(self._access)) as socket:
                    for message in watching.opening():
                        socket.send(message)
                    while not watching.over:
                        if (event := watching.take(socket.recv())) is not None:
                            yield event
            except BROKEN_SOCKET as error:
                broken = error
            if not watching.over:
                time.sleep(watching.closed(broken))

    def _try(self, request: Request) -> Reply | NoReply:
        arguments = arguments_for(request, self._access)
        try:
            return reply_of(self._http.request(request.method, request.path, **arguments))
        except httpx.TransportError as error:
            return no_reply(error)
        finally:
            if request.form is not None:
                request.form.close()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
