"""Examples of problems, as the functions make them that refuse requests."""

from api.endpoint import AnyEndpoint
from api.http import document_problems, problems
from api.http.validation import model_of
from schemas.problems import FieldProblem, Problem

_KINDS = {
    "api-keys": "API key",
    "batches": "batch",
    "documents": "document",
    "failures": "failure",
    "groups": "group",
    "holds": "hold",
    "replays": "replay",
    "schedules": "schedule",
    "webhooks": "webhook",
    "workflow": "workflow instance",
}
"""What isn't there, by the part of the address after /api."""
_LIMIT_BYTES = 2_000_000
_REQUESTS_PER_MINUTE = 300_000
_CORRELATION_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
MAX_ERRORS = 3
_SAME_EVERYWHERE = {
    400: problems.malformed_json("unexpected end of data: line 1 column 17 (char 16)").problem,
    401: problems.unauthenticated().problem,
    408: problems.body_too_slow().problem,
    409: problems.job_over("succeeded").problem,
    412: document_problems.precondition_failed("If-Match", '"4-0d9e2b7a5f1c.c2e6f0a4d381"').problem,
    413: problems.body_too_large(_LIMIT_BYTES).problem,
    415: problems.unsupported_media_type().problem,
    416: document_problems.range_not_satisfiable(48_213).problem,
    429: problems.too_many_requests("key", _REQUESTS_PER_MINUTE, 7, ()).problem,
    500: problems.internal(_CORRELATION_ID),
    503: problems.unavailable(2.0),
}


def problem_of(endpoint: AnyEndpoint, path: str, status: int) -> Problem:
    """A problem of this status that this endpoint may answer with. LookupError for a status without an example."""
    match status:
        case 403:
            return problems.scope_missing(endpoint.scope or "").problem
        case 404:
            return problems.not_found(_KINDS.get(path.split("/")[2], "job")).problem
        case 422:
            return _invalid(endpoint)
        case 504:
            return problems.timed_out(endpoint.seconds)
    return _SAME_EVERYWHERE[status]


def _invalid(endpoint: AnyEndpoint) -> Problem:
    """What a body with a field too many, or a query with one, is refused with."""
    if endpoint.body is None:
        return problems.invalid_query(
            [FieldProblem(pointer="/query/surprise", detail="there is no such field")]
        ).problem
    try:
        model_of(endpoint.body, {"surprise": True})
    except problems.Refusal as refusal:
        return refusal.problem.model_copy(update={"errors": refusal.problem.errors[:MAX_ERRORS]})
    raise LookupError(f"{endpoint.body.__name__} takes any field")
