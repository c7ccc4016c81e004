"""Returns a job's result; a large one is streamed from the object store."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.types import Receive, Send

from api.auth.authentication import Credentials
from api.auth.principal import Principal, Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.request_body import Disconnected
from api.http.responses import JSON, Answer, Header, Media
from api.streams.sse import SEND_SECONDS
from infrastructure.postgres.jobs import queries, stored_results
from infrastructure.postgres.jobs.stored_results import StoredResult
from infrastructure.postgres.session import Connection


@dataclass(frozen=True, slots=True)
class Download:
    """Streams a stored result. A client that reads nothing for SEND_SECONDS is disconnected, and so is one whose key is
    revoked; by the content-length it knows that the result is incomplete."""

    content: AsyncIterator[bytes]
    bytes: int
    credentials: Credentials
    principal: Principal

    @property
    def headers(self) -> Sequence[Header]:
        length = str(self.bytes).encode()
        return ((b"content-type", JSON), (b"content-length", length), (b"cache-control", b"private, no-cache"))

    async def run(self, receive: Receive, send: Send) -> None:
        invalid = asyncio.Event()
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        with self.credentials.while_valid(self.principal, invalid.set):
            async for part in self.content:
                await _send_in_time(send, part)
                if invalid.is_set():
                    raise Disconnected
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_in_time(send: Send, part: bytes) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except TimeoutError:
        raise Disconnected from None


async def show_result(call: Call[Empty, Empty]) -> Answer | Download:
    job_id, tenant_id = call.path_id("id", "job"), call.tenant_id

    async def read(connection: Connection) -> tuple[bool, str | None, StoredResult | None]:
        return *await queries.result(connection, tenant_id, job_id), await stored_results.result_of(
            connection, tenant_id, job_id
        )

    is_there, result, stored = await call.db.transaction(read)
    if not is_there:
        raise problems.not_found("job")
    if stored is not None:
        content = await call.ingress.objects.read(stored.key)
        if content is not None:
            return Download(content, stored.bytes, call.ingress.credentials, call.principal)
    if result is None:
        raise problems.not_found("result")
    return Answer(200, result.encode(), headers=((b"cache-control", b"private, no-cache"),))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/jobs/{id}/result",
        summary="Fetch a job's result",
        description="Of any size. 404 while there is none, and after it was deleted.",
        handle=show_result,
        answers={200: Media("application/json", "What the kind's work brought.")},
        scope=Scope.JOBS_READ,
        problems=(404,),
        for_watchers=True,
    ),
)
