"""Long polling by `Prefer: wait=N` (RFC 7240): the response is sent when the job has ended or after N seconds."""

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
POLL_SECONDS = 5.0
"""While waiting, the job is also read at this interval."""

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", re.ASCII | re.IGNORECASE)


def wanted_seconds(headers: Mapping[str, str]) -> int | None:
    """The N of `Prefer: wait=N`, at most MAX_SECONDS; None if it is missing or malformed."""
    given = headers.get("prefer")
    for preference in given.split(",") if given else ():
        found = _WAIT.fullmatch(preference.partition(";")[0])
        if found:
            return min(int(found[1]), MAX_SECONDS)
    return None


def applied(seconds: int) -> Header:
    return (b"preference-applied", b"wait=%d" % seconds)


async def until_finished(ingress: Dependencies, principal: Principal, job_id: UUID, seconds: float) -> Job | None:
    """The job once it has ended, or its current state after `seconds`; None when the tenant has no such job.

    Raises a Refusal (401) when the caller's key or token was revoked or expired meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            job = await _when_finished(ingress, principal, job_id)
    except TimeoutError:
        job = await _read(ingress, principal.tenant_id, job_id)
    await ingress.credentials.recheck(principal)
    return job


async def _when_finished(ingress: Dependencies, principal: Principal, job_id: UUID) -> Job | None:
    """The job once it has ended; earlier when the process stops or the caller's key is revoked."""
    async with ingress.hub.subscribe(principal.tenant_id, JobEvents(job_id)) as subscriber:
        with ingress.credentials.while_valid(principal, subscriber.end):
            await ingress.hub.join(subscriber)
            while True:
                job = await _read(ingress, principal.tenant_id, job_id)
                if job is None or job.finished or not await _something_decisive(ingress, subscriber):
                    return job


async def _something_decisive(ingress: Dependencies, subscriber: Subscriber) -> bool:
    """Waits for a reason to read the job again. False when the subscriber has ended."""
    while True:
        match await subscriber.take(POLL_SECONDS):
            case Ended():
                return False
            case Behind():
                await ingress.hub.join(subscriber)
                return True
            case taken:
                if not taken or any(announced.type in ENDINGS for announced in taken):
                    return True


async def _read(ingress: Dependencies, tenant_id: UUID, job_id: UUID) -> Job | None:
    return await ingress.pool.run(tenant_id, lambda connection: queries.job(connection, tenant_id, job_id))
