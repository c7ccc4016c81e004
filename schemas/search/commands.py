"""The commands that make documents searchable and keep indexes in order."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from schemas.commands import Command
from schemas.document_references import check_source
from schemas.documents import MAX_TEXT_CHARACTERS, DocumentId, DocumentRef, Label, LanguageTag
from schemas.model import Model
from schemas.search.text import Moment

MAX_DOCUMENTS: Final = 1_000
MAX_CHARACTERS: Final = 3_000_000
"""Of all titles and texts in one request."""
INDEX_KEY: Final = "search.index"
"""The concurrency key of jobs that work on a tenant's whole index: one of them at a time."""


@dataclass(frozen=True, slots=True)
class SealedAtRest:
    """Marks a field that is stored as ciphertext only.

    `indexed_because` records why a search index may contain its words anyway. A sealed field without it is never indexed.
    """

    indexed_because: str | None = None


Title = Annotated[str, Field(min_length=1, max_length=500)]
_SEALED_TEXT: Final = SealedAtRest(
    indexed_because="Finding a document by the words of its text is what this is sent for."
)
Tags = Annotated[tuple[Label, ...], Field(max_length=50)]


class SentDocument(Model):
    """A document to be indexed that is sent along, and stored first."""

    document_id: DocumentId
    title: Title
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), _SEALED_TEXT]
    document_type: Label
    industry: Label | None = None
    language: LanguageTag | None = None
    """Enables stemming for known languages: `agreements` finds `agreement`."""
    tags: Tags = ()
    created_at: Moment | None = None
    """When the document was created; the time of its first indexing if not given."""


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
    title: Title | None = None
    text: Annotated[str | None, Field(max_length=MAX_TEXT_CHARACTERS), _SEALED_TEXT] = None
    document_type: Label | None = None
    industry: Label | None = None
    language: LanguageTag | None = None
    """Enables stemming for known languages: `agreements` finds `agreement`."""
    tags: Tags = ()
    created_at: Moment | None = None
    """When the document was created; the time of its first indexing if not given."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        needed = ("document_id", "title", "text", "document_type")
        check_source(self, without=needed, never_with=(*needed, "industry", "language", "tags", "created_at"))
        return self

    @property
    def source(self) -> DocumentRef | SentDocument:
        """The stored document, or the one that was sent along."""
        if self.document is not None:
            return self.document
        return SentDocument.model_validate({name: getattr(self, name) for name in SentDocument.model_fields})

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        if version > 1 or "body" not in fields:
            return fields
        return {**{name: value for name, value in fields.items() if name != "body"}, "text": fields["body"]}


def _form_of(document: Any) -> str:
    if isinstance(document, dict):
        return "reference" if "id" in document else "sent"
    return "reference" if isinstance(document, DocumentRef) else "sent"


ToIndex = Annotated[
    Annotated[DocumentRef, Tag("reference")] | Annotated[SentDocument, Tag("sent")], Discriminator(_form_of)
]
"""A stored document, `{"id": …}`, or one that is sent along."""


def _not_empty(documents: tuple[ToIndex, ...]) -> tuple[ToIndex, ...]:
    # A `min_length` would report every faulty document as a missing one too.
    if not documents:
        raise ValueError("name at least one document")
    return documents


class IndexDocuments(Command):
    """Makes many documents searchable: stored ones by their ids, and others that are sent along. One that can't be indexed
    keeps no other from it: the result names it and says why. Of an id that is there twice the last counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {"document_id": "0117", "title": "Lease", "text": "Due.", "document_type": "lease"},
                        {"id": "contracts/2026/0118"},
                    ]
                }
            ]
        }
    )

    kind: ClassVar[str] = "search.index_documents"
    queue: ClassVar[str] = "search"
    max_attempts: ClassVar[int] = 8
    time_limit_seconds: ClassVar[float] = 300.0

    documents: Annotated[
        tuple[ToIndex, ...],
        Field(max_length=MAX_DOCUMENTS, json_schema_extra={"minItems": 1}),
        AfterValidator(_not_empty),
    ]

    @field_validator("documents", mode="before")
    @classmethod
    def _not_too_long(cls, documents: Any) -> Any:
        """Counts what was sent before anything is made of it."""
        if isinstance(documents, list):
            texts = (one.get(name) for one in documents if isinstance(one, dict) for name in ("title", "text"))
            characters = sum(len(text) for text in texts if isinstance(text, str))
            if characters > MAX_CHARACTERS:
                raise ValueError(
                    f"titles and texts have {characters:,} characters; at most {MAX_CHARACTERS:,} are taken at once"
                )
        return documents


class UnindexDocument(Command):
    """Takes a document out of the index. Submitted by `DELETE /api/search/index-document/{id}` only."""

    kind: ClassVar[str] = "search.unindex_document"
    queue: ClassVar[str] = "search"
    scope: ClassVar[str] = "search:write"
    internal: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 20

    document: DocumentRef
    removals: Annotated[int, Field(ge=0)]
    """How often it had been taken out before."""


class Reindex(Command):
    """Rebuilds the tenant's index from its stored documents. Searches are answered from the old index until the new one is
    ready and finds what the documents, and the saved searches, say it must; then it can be rolled back to. One job of this
    kind runs at a time."""

    kind: ClassVar[str] = "search.reindex"
    queue: ClassVar[str] = "search"
    scope: ClassVar[str] = "search:write"
    max_attempts: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 6 * 3_600.0


class RollBack(Command):
    """Lets the index before the last reindexing answer again. It has all that was indexed since."""

    kind: ClassVar[str] = "search.roll_back"
    queue: ClassVar[str] = "search"
    scope: ClassVar[str] = "search:write"
    route: ClassVar[str | None] = "/api/search/rollback"

    leave: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The generation that is to answer no more; if another one answers by then, nothing is done. If none is given, it is the one
    that answers when the request is accepted; in a batch or a schedule, when the job runs."""


class MatchSavedSearches(Command):
    """Finds the saved searches that documents match which were just indexed. Submitted by the job that indexed them only."""

    kind: ClassVar[str] = "search.match_saved"
    queue: ClassVar[str] = "search"
    internal: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 8

    documents: Annotated[tuple[DocumentRef, ...], Field(min_length=1, max_length=MAX_DOCUMENTS)]
