"""Failures as the client sees them: what failed and why, and running it again. See `producers.client.blocking`."""

from collections.abc import AsyncIterator, Generator, Iterator
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from producers.client.exchange import (
    Outcome,
    Request,
    Step,
    exchange,
    keyed_post,
    with_query,
)
from producers.client.ports import AsyncClient, Client
from schemas.failures import FailedJobs, FailureGroups, Replay, ReplayCount, ReplayFailures
from schemas.jobs import Job

HERE = "/api/failures"
MAX_GROUPS = 100
PAGE = 100


def _grouped(since: datetime | None, limit: int) -> Generator[Step, Outcome, FailureGroups]:
    reply = yield from exchange(Request("GET", with_query(HERE, {"since": since, "limit": limit})))
    return FailureGroups.model_validate_json(reply.body)


def _jobs_of(
    fingerprint: str, since: datetime | None, limit: int, cursor: str | None
) -> Generator[Step, Outcome, FailedJobs]:
    filters = {"since": since, "limit": limit, "cursor": cursor}
    reply = yield from exchange(Request("GET", with_query(f"{HERE}/{quote(fingerprint, safe='')}", filters)))
    return FailedJobs.model_validate_json(reply.body)


def _replaying(wanted: ReplayFailures) -> Generator[Step, Outcome, Replay]:
    body = wanted.model_copy(update={"dry_run": False})
    reply = yield from exchange(keyed_post("/api/jobs/replay", body))
    return Replay.model_validate_json(reply.body)


def _counting(wanted: ReplayFailures) -> Generator[Step, Outcome, ReplayCount]:
    body = wanted.model_copy(update={"dry_run": True})
    reply = yield from exchange(keyed_post("/api/jobs/replay", body))
    return ReplayCount.model_validate_json(reply.body)


def _reading(replay_id: UUID) -> Generator[Step, Outcome, Replay]:
    reply = yield from exchange(Request("GET", f"/api/replays/{replay_id}"))
    return Replay.model_validate_json(reply.body)


class Failures:
    """Your failed and dead jobs, by the blocking client. Times need a time zone."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def groups(self, *, since: datetime | None = None, limit: int = MAX_GROUPS) -> FailureGroups:
        """What failed and why, grouped by reason, the latest first; of the last week if no time is given."""
        return self._client.carry_out(_grouped(since, limit))

    def jobs(self, fingerprint: str, *, since: datetime | None = None, limit: int = PAGE) -> Iterator[Job]:
        """The jobs of one group, those that failed last first, fetched `limit` at a time while you go on."""
        cursor: str | None = None
        while True:
            page = self._client.carry_out(_jobs_of(fingerprint, since, limit, cursor))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def count(self, wanted: ReplayFailures) -> ReplayCount:
        """How many jobs such a replay would take. Nothing is changed."""
        return self._client.carry_out(_counting(wanted))

    def replay(self, wanted: ReplayFailures) -> Replay:
        """Has all that match run again, each once, in the background: ask `progress` how far that is."""
        return self._client.carry_out(_replaying(wanted))

    def progress(self, replay_id: UUID) -> Replay:
        """A replay of many jobs as it stands."""
        return self._client.carry_out(_reading(replay_id))


class AsyncFailures:
    """See `Failures`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def groups(self, *, since: datetime | None = None, limit: int = MAX_GROUPS) -> FailureGroups:
        """See `Failures.groups`."""
        return await self._client.carry_out(_grouped(since, limit))

    async def jobs(self, fingerprint: str, *, since: datetime | None = None, limit: int = PAGE) -> AsyncIterator[Job]:
        """See `Failures.jobs`."""
        cursor: str | None = None
        while True:
            page = await self._client.carry_out(_jobs_of(fingerprint, since, limit, cursor))
            for job in page.jobs:
                yield job
            cursor = page.next_cursor
            if cursor is None:
                return

    async def count(self, wanted: ReplayFailures) -> ReplayCount:
        """See `Failures.count`."""
        return await self._client.carry_out(_counting(wanted))

    async def replay(self, wanted: ReplayFailures) -> Replay:
        """See `Failures.replay`."""
        return await self._client.carry_out(_replaying(wanted))

    async def progress(self, replay_id: UUID) -> Replay:
        """See `Failures.progress`."""
        return await self._client.carry_out(_reading(replay_id))
