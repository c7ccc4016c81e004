"""Request bodies as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Any

from api.documentation.examples.catalogue import request_of
from api.endpoint import AnyEndpoint, Uploads
from api.http.json_body import takes_nothing
from schemas.model import Model

REF = "#/components/schemas/{model}"
FILE_EXAMPLE = "The rent is due on the first of each month."
RAW_MEDIA_TYPES = ("application/octet-stream", "text/plain")
"""Two that stand for all."""

Schemas = Mapping[Any, dict[str, Any]]
"""By (model, mode)."""


def body_of(endpoint: AnyEndpoint, model: type[Model], schemas: Schemas) -> dict[str, Any]:
    content = {"application/json": media_with(schemas[model, "validation"], request_of(model))}
    if endpoint.uploads is not None:
        content |= _upload_media(endpoint.uploads)
    return {"required": not takes_nothing(model), "content": content}


def _upload_media(uploads: Uploads[Any]) -> dict[str, Any]:
    """A form's files are beside its fields, so both are in one schema. Any media type stands for a file as it is."""
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": file, "minItems": 1} if uploads.many else file
    fields = uploads.form.model_json_schema(ref_template=REF)
    form = {
        "type": "object",
        "properties": {**fields["properties"], uploads.files: files},
        "required": [uploads.files],
        "additionalProperties": False,
    }
    example = {**(request_of(uploads.form) or {}), uploads.files: [FILE_EXAMPLE] if uploads.many else FILE_EXAMPLE}
    media = {"multipart/form-data": media_with(form, example)}
    if uploads.raw:
        media |= {kind: media_with(file, FILE_EXAMPLE) for kind in RAW_MEDIA_TYPES}
    return media


def media_with(schema: dict[str, Any], example: Any | None) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}
