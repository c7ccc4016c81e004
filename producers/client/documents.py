"""What is sent for documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict
from uuid import uuid4

from pydantic_core import to_json

from producers.client.exchange import Request
from producers.client.requests import JSON, path
from producers.client.uploads import Form, Progress, Source, Upload
from schemas.documents import MAX_TEXT_CHARACTERS

MAX_FILES: Final = 1_000
"""In one batch."""


class DocumentOptions(TypedDict, total=False):
    """What is said about a document beside its content. The ingress decides what isn't given."""

    title: str
    document_type: str
    industry: str
    language: str
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    profile: str
    """The ingestion profile: what is done with it once it was imported."""


@dataclass(frozen=True, slots=True)
class BatchDocument:
    """One of many documents, with what is said about it."""

    source: Source
    id: str | None = None
    title: str | None = None
    document_type: str | None = None
    industry: str | None = None
    language: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    profile: str | None = None
    file_name: str | None = None
    media_type: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in ("id", *DocumentOptions.__annotations__)}
        return {name: value for name, value in named.items() if value is not None}


def addition(
    source: Source,
    fields: Mapping[str, Any],
    *,
    file_name: str | None,
    media_type: str | None,
    idempotency_key: str | None,
    progress: Progress | None,
) -> Request:
    """Carries an idempotency key in any case, so that a connection that breaks never makes two documents."""
    request = Request("POST", path("documents"), {"idempotency-key": idempotency_key or str(uuid4())})
    return _with_content(request, source, fields, file_name, media_type, progress)


def replacement(
    document_id: str,
    source: Source,
    fields: Mapping[str, Any],
    *,
    if_match: str | None,
    only_new: bool,
    file_name: str | None,
    media_type: str | None,
    idempotency_key: str | None,
    progress: Progress | None,
) -> Request:
    headers = {"idempotency-key": idempotency_key or str(uuid4()), **conditions(if_match)}
    if only_new:
        headers["if-none-match"] = "*"
    request = Request("PUT", path("documents", document_id), headers)
    return _with_content(request, source, fields, file_name, media_type, progress)


def addition_of_many(
    documents: Iterable[Source | BatchDocument], name: str, idempotency_key: str | None, progress: Progress | None
) -> Request:
    """As JSON where all are short texts; otherwise as a form with a file for each."""
    given = [one if isinstance(one, BatchDocument) else BatchDocument(one) for one in documents]
    request = Request("POST", path("documents", "batch"), {"idempotency-key": idempotency_key or str(uuid4())})
    if all(_is_short_text(one.source) for one in given):
        body = {"name": name, "documents": [{**one.fields, "text": one.source} for one in given]}
        return replace(request, headers={**request.headers, **JSON}, body=to_json(body))
    uploads = [Upload(one.source, one.file_name, one.media_type, progress) for one in given]
    fields = {"name": name, "documents": to_json([one.fields for one in given]).decode()}
    form = Form(fields, [("files", upload) for upload in uploads])
    return replace(request, form=form, repeatable=form.repeatable)


def conditions(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": if_match}


def _with_content(
    request: Request,
    source: Source,
    fields: Mapping[str, Any],
    file_name: str | None,
    media_type: str | None,
    progress: Progress | None,
) -> Request:
    """A short text goes as JSON, which stores no file for it; anything else as the file of a form."""
    if _is_short_text(source) and file_name is None and media_type is None:
        body = to_json({**fields, "text": source})
        return replace(request, headers={**request.headers, **JSON}, body=body)
    form = Form(_as_form(fields), [("file", Upload(source, file_name, media_type, progress))])
    return replace(request, form=form, repeatable=form.repeatable)


def _is_short_text(source: Source) -> bool:
    return isinstance(source, str) and len(source) <= MAX_TEXT_CHARACTERS


def _as_form(fields: Mapping[str, Any]) -> dict[str, str | list[str]]:
    shown = {name: value for name, value in fields.items() if name not in ("metadata", "tags")}
    if "metadata" in fields:
        shown["metadata"] = to_json(fields["metadata"]).decode()
    if fields.get("tags"):
        shown["tags"] = list(fields["tags"])
    return shown
