"""Returns a job's result; a large one is streamed from the object store."""

from functools import partial

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import JSON, UNSHARED, Answer, Media
from api.streams.download import Download
from infrastructure.postgres.jobs import queries, stored_results
from infrastructure.postgres.jobs.stored_results import StoredResult
from infrastructure.postgres.session import Connection


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
        headers = ((b"content-type", JSON), (b"content-length", b"%d" % stored.bytes), UNSHARED)
        return Download(
            partial(call.ingress.objects.read, stored.key),
            headers,
            call.ingress.credentials,
            call.principal,
            "result",
        )
    if result is None:
        raise problems.not_found("result")
    return Answer(200, result.encode(), headers=(UNSHARED,))


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
