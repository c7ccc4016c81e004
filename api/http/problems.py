"""Every problem (RFC 9457) that the API answers with. None repeats what the client sent."""

from collections.abc import Sequence

from api.http.responses import Header
from schemas.problems import FieldProblem, Problem

BUSY_SECONDS = 1.0
RETRY_SECONDS = 2.0


class Refusal(Exception):
    """Raised to answer the request with a problem."""

    def __init__(self, problem: Problem, *headers: Header) -> None:
        super().__init__(problem.title)
        self.problem = problem
        self.headers = headers


class BodyTooLarge(Refusal):
    """The body is too large, and the client may still be sending it."""


def head_too_large(max_bytes: int, max_lines: int) -> Refusal:
    detail = f"At most {max_bytes:,} bytes in at most {max_lines} lines are taken before the body."
    return Refusal(Problem.of("headers-too-large", "The request's headers are too large", 431, detail))


def head_too_slow(seconds: float) -> Refusal:
    detail = f"They must arrive within {seconds:g} s of their first byte. Send the request again."
    return Refusal(Problem.of("headers-too-slow", "The request's headers didn't arrive in time", 408, detail))


def malformed_request() -> Refusal:
    detail = "It isn't valid HTTP/1.1 (RFC 9112). Nothing was done."
    return Refusal(Problem.of("malformed-request", "The request can't be read", 400, detail))


def too_many_connections() -> Refusal:
    detail = "This process, or this client address, has reached its limit. Nothing was stored; try again shortly."
    title = "Too many connections"
    return Refusal(Problem.of("too-many-connections", title, 503, detail, retry_after_seconds=BUSY_SECONDS))


def stopping() -> Refusal:
    detail = "The request's body was incomplete when the process began to stop. Nothing was stored; send it again."
    return Refusal(Problem.of("stopping", "The process is stopping", 503, detail, retry_after_seconds=BUSY_SECONDS))


def not_found(what: str = "address") -> Refusal:
    return Refusal(Problem.of("not-found", "Not found", 404, f"There is no such {what}, or it isn't yours."))


def no_such_provider(known: Sequence[str]) -> Refusal:
    detail = f"Providers whose keys can be set are {', '.join(known)}. AI_MODELS_FILE may name more."
    return Refusal(Problem.of("no-such-provider", "There is no such provider", 404, detail))


def no_credential(known: Sequence[str]) -> Refusal:
    detail = f"The tenant has no key of such a provider. It may set one of {', '.join(known)}."
    return Refusal(Problem.of("not-found", "Not found", 404, detail))


def method_not_allowed(allowed: Sequence[str]) -> Refusal:
    methods = ", ".join(allowed)
    problem = Problem.of("method-not-allowed", "Method not allowed", 405, f"This address takes {methods}.")
    return Refusal(problem, (b"allow", methods.encode()))


def body_too_large(max_bytes: int) -> BodyTooLarge:
    problem = Problem.of("body-too-large", "The body is too large", 413, f"At most {max_bytes:,} bytes are taken.")
    return BodyTooLarge(problem, (b"connection", b"close"))


def unsupported_media_type() -> Refusal:
    detail = "Send JSON, uncompressed, with Content-Type: application/json."
    problem = Problem.of("unsupported-media-type", "The body's type isn't taken", 415, detail)
    return Refusal(problem, (b"accept-post", b"application/json"))


def body_too_slow() -> Refusal:
    problem = Problem.of("body-too-slow", "The body didn't arrive in time", 408, "Send the request again.")
    return Refusal(problem, (b"connection", b"close"))


def malformed_json(reason: str) -> Refusal:
    return Refusal(Problem.of("malformed-json", "The body isn't valid JSON", 400, reason))


def too_deep(max_levels: int) -> Refusal:
    detail = f"At most {max_levels} levels of objects and arrays are taken."
    return Refusal(Problem.of("json-too-deep", "The body is nested too deep", 400, detail))


def too_many_values(max_values: int) -> Refusal:
    detail = (
        f"At most {max_values:,} values (elements, members, containers) are taken in one request. Send less at once."
    )
    return Refusal(Problem.of("too-many-values", "The body has too many values", 413, detail))


def invalid_fields(errors: Sequence[FieldProblem]) -> Refusal:
    title = "Some fields can't be accepted"
    return Refusal(Problem.of("invalid-fields", title, 422, "See errors for each.", errors=tuple(errors)))


def document_importing(errors: Sequence[FieldProblem]) -> Refusal:
    title = "A document isn't imported yet"
    detail = "Its job imports it. Nothing was stored; see errors for which."
    return Refusal(Problem.of("document-importing", title, 409, detail, errors=tuple(errors)))


def invalid_query(errors: Sequence[FieldProblem]) -> Refusal:
    title = "Some query parameters can't be accepted"
    return Refusal(Problem.of("invalid-query", title, 422, "See errors for each.", errors=tuple(errors)))


def invalid_header(name: str, reason: str) -> Refusal:
    errors = (FieldProblem(pointer=f"/headers/{name}", detail=reason),)
    return Refusal(Problem.of("invalid-header", "A header can't be accepted", 400, f"{name}: {reason}.", errors=errors))


def cursor_invalid() -> Refusal:
    detail = "Start the list again without a cursor; a cursor is valid only with the filters it was made for."
    return Refusal(Problem.of("cursor-invalid", "The cursor can't be used", 400, detail))


def resume_token_invalid() -> Refusal:
    detail = "Send the id of the last event exactly as it was received, or none to start from now."
    return Refusal(Problem.of("resume-token-invalid", "The place to resume after can't be used", 400, detail))


def credentials_missing() -> Refusal:
    problem = Problem.of("unauthenticated", "No API key or token was given", 401, "Send `Authorization: Bearer <key>`.")
    return Refusal(problem, (b"www-authenticate", b'Bearer realm="bucatini"'))


def unauthenticated() -> Refusal:
    detail = "It is unknown, revoked or expired. Send `Authorization: Bearer <key>` with one that is valid."
    problem = Problem.of("unauthenticated", "The API key or token isn't valid", 401, detail)
    return Refusal(problem, (b"www-authenticate", b'Bearer realm="bucatini", error="invalid_token"'))


def scope_missing(scope: str) -> Refusal:
    detail = f"The key lacks the scope {scope}. Use one that has it, or ask an admin for one."
    challenge = f'Bearer realm="bucatini", error="insufficient_scope", scope="{scope}"'
    return Refusal(
        Problem.of("scope-missing", "Not allowed with this key", 403, detail), (b"www-authenticate", challenge.encode())
    )


def batch_forbidden(errors: Sequence[FieldProblem]) -> Refusal:
    title = "Not allowed with this key"
    return Refusal(Problem.of("scope-missing", title, 403, "See errors for each.", errors=tuple(errors)))


def read_token_only_watches() -> Refusal:
    detail = "A read token only opens what can be read of its one job, and its events. Use a key for anything else."
    challenge = 'Bearer realm="bucatini", error="insufficient_scope"'
    return Refusal(
        Problem.of("read-token-only-watches", "Not allowed with a read token", 403, detail),
        (b"www-authenticate", challenge.encode()),
    )


def too_many_requests(what: str, limit: int, wait_seconds: int, headers: Sequence[Header]) -> Refusal:
    who = " An operator can raise the limit requests_per_minute." if what == "tenant" else ""
    detail = (
        f"This {what} has made the {limit:,} requests that it may make a minute. Nothing was stored; try again in "
        f"{wait_seconds} s.{who}"
    )
    title = "Too many requests"
    return Refusal(Problem.of("too-many-requests", title, 429, detail, retry_after_seconds=wait_seconds), *headers)


def too_many_sockets(what: str, limit: int) -> Refusal:
    detail = f"This {what} may have {limit:,} WebSockets open at a time. Close one, or subscribe to more on each."
    title = "Too many WebSockets"
    return Refusal(Problem.of("too-many-websockets", title, 429, detail, retry_after_seconds=BUSY_SECONDS))


def key_reused() -> Refusal:
    detail = "The idempotency key was sent before with another body. Use a new key for a new request."
    return Refusal(Problem.of("idempotency-key-reused", "Another request had this key", 422, detail))


def job_over(state: str) -> Refusal:
    return Refusal(Problem.of("job-over", "The job has ended already", 409, f"It is {state}."))


def job_not_over(state: str) -> Refusal:
    detail = f"It is {state}; only a failed, dead or cancelled job can be replayed."
    return Refusal(Problem.of("job-not-over", "The job can't be replayed", 409, detail))


def not_replayable(kind: str, instead: str) -> Refusal:
    return Refusal(
        Problem.of("not-replayable", "Such a job can't be replayed", 409, f"It is of kind {kind}. {instead}")
    )


def children_run() -> Refusal:
    detail = "Its child jobs haven't ended, and their outcomes go to this job. Wait for them or cancel them first."
    return Refusal(Problem.of("children-run", "The job's children still run", 409, detail))


def name_taken() -> Refusal:
    detail = "Another schedule of yours has this name, with another definition. Choose another, or change that one."
    return Refusal(Problem.of("name-taken", "The name is taken", 409, detail))


def last_admin_key() -> Refusal:
    detail = "Without it no key could be created any more. Create another admin key first."
    return Refusal(Problem.of("last-admin-key", "This is the last admin key", 409, detail))


def url_refused(reason: str) -> Refusal:
    return invalid_fields([FieldProblem(pointer="/url", detail=reason)])


def receipt_invalid() -> Refusal:
    detail = "must be the receipt of a delivered event"
    return invalid_fields([FieldProblem(pointer="/receipts", detail=detail)])


def origin_not_allowed() -> Refusal:
    detail = "Pages of this origin may not connect. Name it in ALLOWED_ORIGINS, or connect from the ingress's own."
    return Refusal(Problem.of("origin-not-allowed", "The page's origin isn't allowed", 403, detail))


def not_a_request(known: Sequence[str]) -> Refusal:
    detail = f"Send an object with exactly one of these fields: {', '.join(known)}."
    return Refusal(Problem.of("not-a-request", "The message isn't a valid request", 422, detail))


def already_authenticated() -> Refusal:
    detail = "Open another connection to use another key."
    return Refusal(Problem.of("already-authenticated", "The connection is already authenticated", 409, detail))


def already_subscribed() -> Refusal:
    detail = "Unsubscribe first to start at another position."
    return Refusal(Problem.of("already-subscribed", "This subscription already exists", 409, detail))


def too_many_subscriptions(limit: int) -> Refusal:
    detail = f"A connection has at most {limit:,}. Unsubscribe from one, or open another connection."
    return Refusal(Problem.of("too-many-subscriptions", "There are too many subscriptions", 409, detail))


def subscription_failed() -> Problem:
    detail = "Nothing is wrong with the request. Subscribe again after the last position you have."
    return Problem.of("subscription-failed", "Something went wrong here", 500, detail)


def unstorable() -> Problem:
    detail = "PostgreSQL can't store one of the values, such as a number out of range. Nothing was stored."
    return Problem.of("unstorable", "A value can't be stored", 422, detail)


def out_of_bounds(error: Exception) -> Problem:
    detail = f"{str(error)[:1].upper()}{str(error)[1:]}. Nothing was stored."
    return Problem.of("out-of-bounds", "A value is larger or deeper than what is kept", 422, detail)


def overloaded() -> Problem:
    title, detail = "The service is overloaded", "Nothing was stored. Try again shortly."
    return Problem.of("overloaded", title, 503, detail, retry_after_seconds=BUSY_SECONDS)


def unavailable(retry_after_seconds: float | None) -> Problem:
    title = "A server that this request needs is unavailable"
    detail, seconds = "Try again shortly; with an Idempotency-Key a repeat is always safe.", retry_after_seconds
    return Problem.of("unavailable", title, 503, detail, retry_after_seconds=seconds or RETRY_SECONDS)


def timed_out(seconds: float) -> Problem:
    detail = f"It took longer than {seconds:g} s. With an Idempotency-Key a repeat is always safe."
    return Problem.of("timed-out", "The request took too long", 504, detail)


def internal(correlation_id: str) -> Problem:
    detail = f"Nothing is wrong with the request. The log has the cause under correlation id {correlation_id}."
    return Problem.of("internal", "Something went wrong here", 500, detail)
