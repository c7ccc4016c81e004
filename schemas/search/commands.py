"""The command that makes a document searchable."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.commands import Command
from schemas.document_references import check_source
from schemas.documents import MAX_TEXT_CHARACTERS, DocumentId, DocumentRef, Label, LanguageTag
from schemas.search.text import Moment


@dataclass(frozen=True, slots=True)
class SealedAtRest:
    """Marks a field that is stored as ciphertext only.

    `indexed_because` records why a search index may contain its words anyway. A sealed field without it is never indexed.
    """

    indexed_because: str | None = None


class IndexDocument(Command):
    """Makes a document searchable: one that is stored already, or one that is sent along and stored first. A later request
    for the same id replaces it; an earlier one that runs late doesn't."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"document_id": "0117", "title": "Lease", "text": "Due.", "document_type": "lease"}]
        }
    )

    kind: ClassVar[str] = "search.index_document"
    queue: ClassVar[str] = "search"
    version: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 120.0

    document: DocumentRef | None = None
    """A stored document. All that is to be known of it is stored with it: give nothing else."""
    document_id: DocumentId | None = None
    title: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    text: Annotated[
        str | None,
        Field(max_length=MAX_TEXT_CHARACTERS),
        SealedAtRest(indexed_because="Finding a document by the words of its text is what this command is sent for."),
    ] = None
    document_type: Label | None = None
    industry: Label | None = None
    language: LanguageTag | None = None
    """Enables stemming for known languages: `agreements` finds `agreement`."""
    tags: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    created_at: Moment | None = None
    """When the document was created; the time of its first indexing if not given."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        needed = ("document_id", "title", "text", "document_type")
        check_source(self, without=needed, never_with=(*needed, "industry", "language", "tags", "created_at"))
        return self

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        if version > 1 or "body" not in fields:
            return fields
        return {**{name: value for name, value in fields.items() if name != "body"}, "text": fields["body"]}
