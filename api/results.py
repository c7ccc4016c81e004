"""A job's result by itself, streamed where it is too large to be held."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Send

from api import problems
from api.answers import JSON, Answer, Media
from api.callers import Scope
from api.endpoint import Call, Empty, Endpoint
from api.streaming import SEND_SECONDS
from infrastructure.postgres import reading, stored_results
from infrastructure.postgres.connections import Connection
from infrastructure.postgres.stored_results import StoredResult
from schemas.jobs import Job


@dataclass(frozen=True, slots=True)
class Download:
    """A stored result on its way. A reader that takes nothing for SEND_SECONDS is let go."""

    content: AsyncIterator[bytes]
    bytes: int

    async def run(self, receive: Receive, send: Send) -> None:
        length = str(self.bytes).encode()
        headers = [(b"content-type", JSON), (b"content-length", length), (b"cache-control", b"private, no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self.content:
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def show_result(call: Call[Empty, Empty]) -> Answer | Download:
    job_id, tenant_id = call.path_id("id", "job"), call.tenant_id

    async def read(line: Connection) -> tuple[Job | None, StoredResult | None]:
        return await reading.job(line, tenant_id, job_id), await stored_results.result_of(line, tenant_id, job_id)

    job, stored = await call.ingress.lines.run(tenant_id, read)
    if job is None:
        raise problems.not_found("job")
    if stored is not None:
        content = await call.ingress.objects.read(stored.key)
        if content is not None:
            return Download(content, stored.bytes)
    if job.result is None:
        raise problems.not_found("result")
    return Answer(200, orjson.dumps(job.result), headers=((b"cache-control", b"private, no-cache"),))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/result",
        summary="Fetch a job's result",
        description="However large it is. 404 while there is none, and after it was removed.",
        handle=show_result,
        answers={200: Media("application/json", "What the kind's work brought.")},
        scope=Scope.JOBS_READ,
        problems=(404,),
        for_watchers=True,
    ),
)
