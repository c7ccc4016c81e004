# Generated from asynchronous/failures.py by `python -m producers.packaging`: edit that one.
"""Failures: what failed and why, and running it again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.requests import Id, get, keyed_post, path
from schemas.failures import FailedJobs, FailureGroups, Replay, ReplayCount, ReplayFailures
from schemas.jobs import Job

MAX_GROUPS: Final = 100
PAGE: Final = 100


class Failures:
    """Your failed and dead jobs. Times need a time zone. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def groups(self, *, since: datetime | None = None, limit: int = MAX_GROUPS) -> FailureGroups:
        """What failed and why, grouped by reason, the latest first; of the last week if no time is given."""
        return self._client.ask(FailureGroups, get(path("failures"), {"since": since, "limit": limit}))

    def jobs(self, fingerprint: str, *, since: datetime | None = None, limit: int = PAGE) -> Iterator[Job]:
        """The jobs of one group, those that failed last first, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            filters = {"since": since, "limit": limit, "cursor": cursor}
            page = self._client.ask(FailedJobs, get(path("failures", fingerprint), filters))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def count(self, wanted: ReplayFailures) -> ReplayCount:
        """How many jobs such a replay would take. Nothing is changed."""
        body = wanted.model_copy(update={"dry_run": True})
        return self._client.ask(ReplayCount, keyed_post(path("jobs", "replay"), body))

    def replay(self, wanted: ReplayFailures) -> Replay:
        """Has all that match run again, each once, in the background: ask `progress` how far that is."""
        body = wanted.model_copy(update={"dry_run": False})
        return self._client.ask(Replay, keyed_post(path("jobs", "replay"), body))

    def progress(self, replay_id: Id) -> Replay:
        """A replay of many jobs as it stands."""
        return self._client.ask(Replay, get(path("replays", replay_id)))
