"""`Prefer: wait=N` (RFC 7240): the answer comes when the job has ended, or when the time is up."""

import asyncio
import re
from collections.abc import Mapping
from uuid import UUID

from api.auth.principal import Principal
from api.dependencies import Dependencies
from api.http.responses import Header
from api.streams.subscribers import Behind, Ended, JobEvents, Subscriber
from events.jobs import ENDINGS
from infrastructure.postgres.jobs import queries
from schemas.jobs import Job

MAX_SECONDS = 60
ABOUT_SECONDS = 5.0
"""A waiter that is waiting for long looks at the job itself now and then."""

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", re.ASCII | re.IGNORECASE)


def wanted_seconds(headers: Mapping[str, str]) -> int | None:
    """What the caller prefers, at most MAX_SECONDS; None without such a wish. What can't be read is no wish."""
    given = headers.get("prefer")
    for preference in given.split(",") if given else ():
        found = _WAIT.fullmatch(preference.partition(";")[0])
        if found:
            return min(int(found[1]), MAX_SECONDS)
    return None


def applied(seconds: int) -> Header:
    return (b"preference-applied", b"wait=%d" % seconds)


async def until_finished(ingress: Dependencies, principal: Principal, job_id: UUID, seconds: float) -> Job | None:
    """The job when it has ended, or as it stands when the time is up; None when the tenant has no such job.

    A Refusal when the caller's key or token has fallen meanwhile: it learns nothing of what has happened since."""
    try:
        async with asyncio.timeout(seconds):
            job = await _when_finished(ingress, principal, job_id)
    except TimeoutError:
        job = await _read(ingress, principal.tenant_id, job_id)
    await ingress.credentials.recheck(principal)
    return job


async def _when_finished(ingress: Dependencies, principal: Principal, job_id: UUID) -> Job | None:
    """The job once it has ended. Sooner when the process stops or the caller may not wait any longer."""
    async with ingress.hub.subscribe(principal.tenant_id, JobEvents(job_id)) as subscriber:
        with ingress.credentials.until_fallen(principal, subscriber.end):
            await ingress.hub.join(subscriber)
            while True:
                job = await _read(ingress, principal.tenant_id, job_id)
                if job is None or job.finished or not await _something_decisive(ingress, subscriber):
                    return job


async def _something_decisive(ingress: Dependencies, subscriber: Subscriber) -> bool:
    """Whether to look again; False when the process stops."""
    while True:
        match await subscriber.take(ABOUT_SECONDS):
            case Ended():
                return False
            case Behind():
                await ingress.hub.join(subscriber)
                return True
            case taken:
                if not taken or any(announced.type in ENDINGS for announced in taken):
                    return True


async def _read(ingress: Dependencies, tenant_id: UUID, job_id: UUID) -> Job | None:
    return await ingress.lines.run(tenant_id, lambda connection: queries.job(connection, tenant_id, job_id))
