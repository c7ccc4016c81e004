"""Lists failed jobs, grouped by reason."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, json_answer
from infrastructure.postgres.jobs import failures
from infrastructure.postgres.jobs.failures import FailurePlace
from infrastructure.postgres.jobs.queries import NEWEST
from infrastructure.postgres.session import Connection
from schemas.failures import FailedJobs, FailureGroup, FailureGroups
from schemas.jobs import Job
from schemas.model import Model
from schemas.timestamps import Moment

DEFAULT_DAYS = 7
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


class FailuresQuery(Model):
    since: Moment | None = None
    """Failed at this time or later (RFC 3339); a week ago if not given."""
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class FailedJobsQuery(FailuresQuery):
    cursor: Annotated[str, Field(max_length=100)] | None = None
    """`next_cursor` of the previous page."""


async def list_failures(call: Call[Empty, FailuresQuery]) -> Answer:
    query = call.query
    groups, complete = await call.db.run(failures.groups, since=_since(call), limit=query.limit)
    return json_answer(200, FailureGroups(groups=tuple(groups), complete=complete))


async def show_failures(call: Call[Empty, FailedJobsQuery]) -> Answer:
    tenant_id, query, fingerprint = call.tenant_id, call.query, call.path["fingerprint"]
    before = FailurePlace(_LAST, NEWEST) if query.cursor is None else _read(call, fingerprint, query.cursor)

    async def read(connection: Connection) -> tuple[FailureGroup | None, list[tuple[FailurePlace, Job]]]:
        since, limit = _since(call), query.limit + 1
        return await failures.group(connection, tenant_id, fingerprint, since=since), await failures.jobs_of(
            connection, tenant_id, fingerprint, since=since, before=before, limit=limit
        )

    group, found = await call.db.transaction(read)
    if group is None:
        raise problems.not_found("failure")
    page = found[: query.limit]
    next_cursor = _sign(call, fingerprint, page[-1][0]) if len(found) > query.limit else None
    return json_answer(200, FailedJobs(group=group, jobs=tuple(job for _, job in page), next_cursor=next_cursor))


def _since(call: Call[Empty, FailuresQuery] | Call[Empty, FailedJobsQuery]) -> datetime:
    return call.query.since or call.ingress.clock.now() - timedelta(days=DEFAULT_DAYS)


def _sign(call: Call[Empty, FailedJobsQuery], fingerprint: str, place: FailurePlace) -> str:
    """A cursor with the job's id and the time it failed, both signed: the list is ordered by that time."""
    at = f"{(place.failed_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1):x}"
    return f"{at}.{call.ingress.cursors.sign(call.tenant_id, f'failures {fingerprint} {at}', place.job_id)}"


def _read(call: Call[Empty, FailedJobsQuery], fingerprint: str, cursor: str) -> FailurePlace:
    at, _, signed = cursor.partition(".")
    job_id: UUID = call.ingress.cursors.read(call.tenant_id, f"failures {fingerprint} {at}", signed)
    return FailurePlace(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at, 16)), job_id)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/failures",
        summary="List failures",
        description="Jobs that failed, died or are being tried again, grouped by reason; what failed last comes first.",
        handle=list_failures,
        query=FailuresQuery,
        answers={200: FailureGroups},
        scope=Scope.JOBS_READ,
    ),
    Endpoint(
        method="GET",
        path="/api/failures/{fingerprint}",
        summary="Show one group of failures",
        description="Its jobs, those that failed last first.",
        handle=show_failures,
        query=FailedJobsQuery,
        answers={200: FailedJobs},
        scope=Scope.JOBS_READ,
        problems=(400, 404),
    ),
)
