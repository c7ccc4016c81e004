# Generated from asynchronous/events.py by `python -m producers.packaging`: edit that one.
"""Events: what happens to a tenant's jobs, as it happens."""

from collections.abc import Iterable, Iterator
from typing import Protocol
from uuid import UUID

from events.envelope import CloudEvent
from producers.client.sse import Following


class Follower(Protocol):
    def follow(self, following: Following) -> Iterator[CloudEvent]:
        """The events of a stream, across connections that break."""

    def watch(self, jobs: Iterable[UUID], types: Iterable[str]) -> Iterator[CloudEvent]:
        """The events of many jobs over one WebSocket, across connections that break."""


class Events:
    """Your events. ProblemAnswer or Unreachable when they can't be had; what breaks on the way is resumed."""

    def __init__(self, client: Follower) -> None:
        self._client = client

    def follow(self, pattern: str = "*", *, last_event_id: str = "") -> Iterator[CloudEvent]:
        """What happens to your jobs from now on, or from after the id of an earlier stream; without end."""
        yield from self._client.follow(Following.all_jobs(pattern, last_event_id))

    def watch(self, jobs: Iterable[UUID] = (), types: Iterable[str] = ()) -> Iterator[CloudEvent]:
        """What happened to these jobs and happens from now on, each to its end, and what happens from now on to any job
        whose type of event matches, without end. One connection for all, at most 1,000 subjects; each event once for
        each of them."""
        return self._client.watch(jobs, types)
