"""What the resources need of the client. They depend on this and not on the client, which is built of them."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from events.envelope import CloudEvent
from producers.client.downloads import Downloading
from producers.client.exchange import Reply, Request
from producers.client.sse import Following
from schemas.model import Model

M = TypeVar("M", bound=Model)


class AsyncCaller(Protocol):
    async def send(self, request: Request) -> Reply:
        """The reply, tried again where that helps. ProblemAnswer or Unreachable."""

    async def ask(self, answer: type[M], request: Request) -> M:
        """The reply, read. UnreadableResponse when it can't be."""

    def follow(self, following: Following) -> AsyncIterator[CloudEvent]:
        """The events of a stream, across connections that break."""

    def download(self, downloading: Downloading) -> AsyncIterator[bytes]:
        """The content, across connections that break."""
