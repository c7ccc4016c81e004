"""What is said about a document beside its content, as each way of sending it has it."""

from typing import Annotated, Any

from pydantic import Field

from api.http import problems
from api.http.validation import model_of, parse_json
from schemas.batches import MAX_IN_A_BATCH, BatchName
from schemas.bounds import MAX_BATCH_VALUES
from schemas.documents import (
    DocumentFields,
    DocumentId,
    DocumentTitle,
    Label,
    LanguageTag,
    NewDocument,
    ProfileName,
)
from schemas.model import Model
from schemas.problems import FieldProblem

MAX_FIELDS_BYTES = 200_000
"""Of all fields of a form."""
MAX_BATCH_FIELDS_BYTES = 4_000_000
"""The same where they describe the files of a batch."""
SEPARATOR = ","


class VersionQuery(Model):
    """What is said of a document that is the body itself. The file's name is in Content-Disposition."""

    title: DocumentTitle | None = None
    document_type: Label = "document"
    industry: Label | None = None
    language: LanguageTag | None = None
    """If you know it; otherwise it is detected."""
    tags: Annotated[str, Field(max_length=5_000)] | None = None
    """With commas between."""
    profile: ProfileName | None = None


class UploadQuery(VersionQuery):
    """The same for a new document."""

    id: DocumentId | None = None


class VersionFields(DocumentFields):
    """Fields of a form beside its file."""

    profile: ProfileName | None = None


class UploadFields(VersionFields):
    """The same for a new document."""

    id: DocumentId | None = None


class BatchFields(Model):
    """Fields of a form with many files."""

    name: BatchName = ""
    """For people."""
    documents: Annotated[tuple[UploadFields, ...], Field(max_length=MAX_IN_A_BATCH)] = ()
    """As JSON: what is said of each file, in the order of the files."""


class DocumentBatch(Model):
    """Many documents with their texts."""

    documents: Annotated[tuple[NewDocument, ...], Field(min_length=1, max_length=MAX_IN_A_BATCH)]
    name: BatchName = ""
    """For people."""


def of_query(query: VersionQuery) -> UploadFields:
    """The fields of a body that is the document itself. Raises a Refusal (422)."""
    given = {name: getattr(query, name) for name in query.model_fields_set}
    if "tags" in given:
        given["tags"] = [tag for tag in (given["tags"] or "").split(SEPARATOR) if tag.strip()]
    return model_of(UploadFields, given, ["query"])


def refuse_query(query: VersionQuery) -> None:
    """A form and JSON have their fields in the body. Raises a Refusal (422) for those in the query."""
    if query.model_fields_set:
        detail = "belongs into the body here"
        flaws = [FieldProblem(pointer=f"/query/{name}", detail=detail) for name in sorted(query.model_fields_set)]
        raise problems.invalid_query(flaws)


class FormFields:
    """The fields of a form, as they arrive: `tags` and nothing else may come several times."""

    def __init__(self, model: type[Model], as_json: frozenset[str], *, max_bytes: int = MAX_FIELDS_BYTES) -> None:
        self.bytes_left = max_bytes
        """What the fields that follow may have together."""
        self._model = model
        self._as_json = as_json
        self._given: dict[str, Any] = {}

    def add(self, name: str, text: str) -> None:
        """Raises a Refusal (422) for a field that isn't known, comes twice or isn't JSON where it must be."""
        if name not in self._model.model_fields:
            raise _refused(name, "there is no such field")
        self.bytes_left -= len(text.encode())
        if name == "tags":
            self._given.setdefault(name, []).append(text)
            return
        if name in self._given:
            raise _refused(name, "comes twice")
        self._given[name] = _parsed(name, text) if name in self._as_json else text

    def read(self) -> Any:
        """All of them as the model. Raises a Refusal (422)."""
        return model_of(self._model, self._given)


def _parsed(name: str, text: str) -> Any:
    try:
        return parse_json(text.encode(), max_values=MAX_BATCH_VALUES)
    except problems.Refusal as refusal:
        raise _refused(name, f"isn't JSON as it is taken: {refusal.problem.detail}") from None


def _refused(name: str, detail: str) -> problems.Refusal:
    return problems.invalid_fields([FieldProblem(pointer=f"/{name[:100]}", detail=detail)])
