"""Documents that come in one by one: as JSON with a text, as the file itself, or in a form."""

from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.endpoint import Call, Empty
from api.http import digests, document_problems, problems
from api.http.responses import Answer
from api.routes.documents.acceptance import accept, check_precondition, precondition_of
from api.routes.documents.fields import (
    FormFields,
    UploadFields,
    UploadQuery,
    VersionFields,
    VersionQuery,
    of_query,
    refuse_query,
)
from api.routes.documents.originals import Original, Originals, check_room, of_text, originals
from api.uploads.body_stream import BodyStream
from api.uploads.file_names import kept_name, parameters_of
from api.uploads.media_types import DEFAULT, MULTIPART, boundary_of, media_type_of
from api.uploads.multipart import MultipartReader, Part
from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from schemas.documents import DocumentId, NewDocument, NewVersion
from schemas.problems import FieldProblem

FILE = "file"
MAX_PARTS = 100
AS_JSON = frozenset({"metadata"})

_IDS: TypeAdapter[str] = TypeAdapter(DocumentId)


async def add_text(call: Call[NewDocument, UploadQuery]) -> Answer:
    refuse_query(call.query)
    return await _accept_text(call, call.body, call.body.id, UNCONDITIONAL)


async def add_upload(call: Call[Empty, UploadQuery], stream: BodyStream) -> Answer:
    return await _receive(call, stream, None, UNCONDITIONAL)


async def put_text(call: Call[NewVersion, VersionQuery]) -> Answer:
    refuse_query(call.query)
    return await _accept_text(call, call.body, id_in_path(call), precondition_of(call))


async def put_upload(call: Call[Empty, VersionQuery], stream: BodyStream) -> Answer:
    document_id, precondition = id_in_path(call), precondition_of(call)
    await check_precondition(call, document_id, precondition)
    return await _receive(call, stream, document_id, precondition)


def id_in_path(call: Call[Any, Any]) -> str:
    """The id that a document is to have. Raises a Refusal (422) when no document can have it."""
    try:
        return _IDS.validate_python(call.path["id"])
    except ValidationError:
        detail = "must be 1 to 200 letters, digits and . _ : @ / ~ -, the first a letter or digit"
        raise problems.invalid_fields([FieldProblem(pointer="/path/id", detail=detail)]) from None


async def _accept_text(
    call: Call[Any, Any], body: NewDocument | NewVersion, document_id: str | None, precondition: Precondition
) -> Answer:
    await call.admit_jobs()
    fields = UploadFields.model_construct(**{name: getattr(body, name) for name in VersionFields.model_fields})
    async with originals(call) as written:
        return await accept(call, of_text(body.text), fields, document_id, precondition, written)


async def _receive(
    call: Call[Empty, Any], stream: BodyStream, document_id: str | None, precondition: Precondition
) -> Answer:
    """Stores what arrives, then asks once more whether the sender may, and accepts it."""
    is_form = media_type_of(call.headers["content-type"]) == MULTIPART
    expected = digests.announced(call.headers)
    await check_room(call, None if is_form else stream.announced_bytes)
    await call.admit_jobs()
    async with originals(call) as written:
        chunks = digests.checked(stream.chunks(), expected)
        if is_form:
            model = UploadFields if document_id is None else VersionFields
            original, fields = await _form(
                call,
                MultipartReader(chunks, boundary_of(call.headers["content-type"]), max_parts=MAX_PARTS),
                written,
                model,
            )
        else:
            fields = of_query(call.query)
            original = await written.write(
                chunks, media_type_of(call.headers["content-type"]), _file_name(call.headers.get("content-disposition"))
            )
        await call.check_still_allowed()
        return await accept(call, original, fields, document_id or fields.id, precondition, written)


async def _form(
    call: Call[Empty, Any], form: MultipartReader, written: Originals, model: type[VersionFields]
) -> tuple[Original, UploadFields]:
    """The file and the fields of a form, in whichever order they come."""
    refuse_query(call.query)
    fields, original = FormFields(model, AS_JSON), None
    async for part in form.parts():
        if part.name == FILE and original is None:
            original = await write_part(form, part, written)
        elif part.name == FILE:
            raise document_problems.invalid_part(FILE, "comes twice; send several files to /api/documents/batch")
        else:
            fields.add(part.name, await form.text(part.name, fields.bytes_left))
    if original is None:
        raise document_problems.invalid_part(FILE, "is required")
    read: VersionFields = fields.read()
    return original, UploadFields.model_construct(**dict(read))


async def write_part(form: MultipartReader, part: Part, written: Originals) -> Original:
    media_type = DEFAULT if part.media_type is None else media_type_of(part.media_type)
    return await written.write(form.content(), media_type, kept_name(part.file_name))


def _file_name(disposition: str | None) -> str | None:
    if disposition is None:
        return None
    with suppress(UnicodeError):  # Headers are read as Latin-1, and some clients write a name in UTF-8 as it is.
        disposition = disposition.encode("latin-1").decode()
    return kept_name(parameters_of(disposition)[1].get("filename"))
