"""The problems of uploads and of documents."""

from api.http.problems import BUSY_SECONDS, Refusal
from schemas.problems import FieldProblem, Problem


def unsupported_upload() -> Refusal:
    detail = (
        "Name the content's own media type in Content-Type, uncompressed; or send multipart/form-data with the part "
        "`file`; or JSON with a text."
    )
    return Refusal(Problem.of("unsupported-media-type", "The body's type isn't taken", 415, detail))


def empty_upload() -> Refusal:
    detail = "It has no bytes. Send the document's content."
    return Refusal(Problem.of("empty-upload", "The upload is empty", 422, detail))


def invalid_part(name: str, reason: str) -> Refusal:
    errors = (FieldProblem(pointer=f"/{name}", detail=reason),)
    return Refusal(
        Problem.of("invalid-fields", "Some fields can't be accepted", 422, "See errors for each.", errors=errors)
    )


def upload_stalled(min_bytes: int, seconds: float) -> Refusal:
    detail = f"Fewer than {min_bytes:,} bytes arrived in {seconds:g} s. Nothing was stored; send it again."
    return Refusal(Problem.of("upload-stalled", "The upload came to a standstill", 408, detail))


def upload_too_long(seconds: float) -> Refusal:
    detail = f"It must arrive within {seconds:,.0f} s. Nothing was stored; send it over a faster connection."
    return Refusal(Problem.of("upload-too-long", "The upload took too long", 408, detail))


def too_many_uploads(who: str, limit: int) -> Refusal:
    status = 429 if who == "tenant" else 503
    detail = f"This {who} takes {limit:,} at a time. Nothing was read; try again shortly."
    title = "Too many uploads are under way"
    return Refusal(Problem.of("too-many-uploads", title, status, detail, retry_after_seconds=BUSY_SECONDS))


def malformed_upload(reason: str) -> Refusal:
    return Refusal(Problem.of("malformed-upload", "The upload can't be read", 400, f"{reason}. Nothing was stored."))


def too_many_parts(max_parts: int) -> Refusal:
    detail = f"At most {max_parts:,} are taken. Nothing was stored; send less at once."
    return Refusal(Problem.of("too-many-parts", "The form has too many parts", 413, detail))


def digest_mismatch(header: str) -> Refusal:
    detail = f"It isn't what {header} says: it was changed on its way, or is another file. Nothing was stored."
    errors = (FieldProblem(pointer=f"/headers/{header}", detail="isn't the content's digest"),)
    return Refusal(Problem.of("digest-mismatch", "The content isn't what was announced", 400, detail, errors=errors))


def precondition_failed(header: str, current: str | None) -> Refusal:
    state = "There is no such document" if current is None else f"It is {current} now"
    detail = f"{state}, so {header} doesn't hold. Nothing was changed; read it again and decide anew."
    headers = () if current is None else ((b"etag", current.encode()),)
    return Refusal(Problem.of("precondition-failed", "The document was changed meanwhile", 412, detail), *headers)


def range_not_satisfiable(size_bytes: int) -> Refusal:
    detail = f"The content has {size_bytes:,} bytes. Ask for some of them, or send no Range."
    problem = Problem.of("range-not-satisfiable", "The range lies beyond the content", 416, detail)
    return Refusal(problem, (b"content-range", b"bytes */%d" % size_bytes))
