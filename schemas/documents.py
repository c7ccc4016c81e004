"""Documents: what is uploaded, what is kept of it, and how commands refer to it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from schemas.commands import Command, Jitter, RetryPolicy
from schemas.jobs import Job
from schemas.model import FreeJson, Model
from schemas.problems import Problem
from schemas.workflow import Definition

MAX_TEXT_CHARACTERS: Final = 200_000
"""Of a text inside a command or a JSON body; a longer one is uploaded."""
MAX_METADATA_VALUES: Final = 200
MAX_METADATA_CHARACTERS: Final = 20_000
DEFAULT_PROFILE: Final = "default"


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank; send at least one word")
    return text


def _bounded(metadata: dict[str, FreeJson]) -> dict[str, FreeJson]:
    values, characters, unread = 0, 0, [*metadata.values()]
    while unread:
        value = unread.pop()
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, dict):
            unread.extend(value.values())
            characters += sum(map(len, value))
        elif isinstance(value, list):
            unread.extend(value)
        if values > MAX_METADATA_VALUES:
            raise ValueError(f"more than {MAX_METADATA_VALUES} values; keep less beside a document")
        if characters > MAX_METADATA_CHARACTERS:
            raise ValueError(f"more than {MAX_METADATA_CHARACTERS:,} characters; keep less beside a document")
    return metadata


DocumentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/~-]{0,199}$", examples=["contracts/2026/0117"])]
"""The client's own id of a document, unique within the tenant; or one that was made for it."""
DocumentText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS), AfterValidator(_some_words)]
DocumentTitle = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_some_words)]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""A value to filter and count by, compared exactly."""
LanguageTag = Annotated[
    str, Field(max_length=20, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$", examples=["en", "de", "fr-CH"])
]
"""BCP 47."""
Tags = Annotated[tuple[Label, ...], Field(max_length=50)]
Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], FreeJson],
    Field(max_length=50),
    AfterValidator(_bounded),
]
"""A person's own notes about a document. They are kept and shown, and nothing else."""
VersionNumber = Annotated[int, Field(ge=1, le=2**53)]
ProfileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=[DEFAULT_PROFILE])]


class DocumentRef(Model):
    """A stored document, in place of its text. The version is pinned when the job is accepted: the current one if none is
    given. A slot of a schedule, and a step of a workflow, reads the one that is current when it runs."""

    id: DocumentId
    version: VersionNumber | None = None


class DocumentFields(Model):
    """What is said about a document beside its content."""

    title: DocumentTitle | None = None
    """The title that the document names itself, or its file's name, if none is given."""
    document_type: Label = "document"
    industry: Label | None = None
    language: LanguageTag | None = None
    """If you know it; otherwise it is detected."""
    tags: Tags = ()
    metadata: Metadata = Field(default_factory=dict)


class NewDocument(DocumentFields):
    """A document sent as JSON, with its text. Files are sent as they are, or as multipart/form-data."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "contracts/2026/0117", "title": "Lease", "text": "The rent is due."}]}
    )

    id: DocumentId | None = None
    text: DocumentText
    profile: ProfileName | None = None
    """The ingestion profile that says what is done with it; `default` if none is given."""


class NewVersion(DocumentFields):
    """A new version sent as JSON. What is said about the document replaces what was said before."""

    text: DocumentText
    profile: ProfileName | None = None


class DocumentChange(Model):
    """Only the given fields change. The text doesn't: send a new version."""

    title: DocumentTitle | None = None
    document_type: Label | None = None
    industry: Label | None = None
    language: LanguageTag | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None


class VersionState(StrEnum):
    IMPORTING = "importing"
    """Stored; its text isn't read yet."""
    READY = "ready"
    FAILED = "failed"
    """Its text can't be read: `problem` says why. The version before it stays current."""


class DocumentVersion(Model):
    """One version: its original, and its text once it was imported. It never changes otherwise."""

    version: int
    state: VersionState
    media_type: str
    """By its content, once that was recognised; until then as it was declared."""
    file_name: str | None = None
    size_bytes: int
    """The original's."""
    digest: str | None = None
    """`sha-256=:…:` of the original, as in the header `Content-Digest` (RFC 9530)."""
    characters: int | None = None
    words: int | None = None
    pages: int | None = None
    language: str | None = None
    encoding: str | None = None
    problem: Problem | None = None
    job_id: UUID | None = None
    """The job that imports it."""
    created_at: datetime
    imported_at: datetime | None = None


class Document(Model):
    id: str
    version: int
    """The newest that was accepted."""
    current_version: int | None = None
    """The newest that was imported: what is read, indexed and found; null until the first was."""
    title: str
    document_type: str
    industry: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, FreeJson] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    newest: DocumentVersion
    """The newest that was accepted."""


class DocumentAccepted(Model):
    """The document as it stands, and the job that imports its new version; null when there was nothing new in it."""

    document: Document
    job: Job | None = None


class DocumentOfBatch(Model):
    """What became of one document of a batch."""

    id: str
    version: int
    job_id: UUID | None = None
    """The job that imports it; null when there was nothing new in it."""


class DocumentBatchAccepted(Model):
    """A stored batch, which `GET /api/batches/{id}` shows and waits for."""

    id: UUID
    name: str
    total: int
    """The number of accepted jobs."""
    documents: tuple[DocumentOfBatch, ...]
    """In the order in which they were sent."""


class DocumentRemoval(Model):
    """A document that was deleted, and the job that removes its contents."""

    id: str
    version: int
    """The newest at its deletion."""
    job_id: UUID


class DocumentPage(Model):
    documents: tuple[Document, ...]
    next_cursor: str | None = None


class DocumentVersions(Model):
    """The newest first."""

    versions: tuple[DocumentVersion, ...]
    next_cursor: str | None = None


class DocumentFinding(Model):
    """What one job found in one version."""

    version: int
    job_id: UUID
    kind: str
    found_at: datetime
    facts: dict[str, Any]
    """The job's result. Its offsets count the text's Unicode code points."""


class DocumentFacts(Model):
    """The newest first."""

    facts: tuple[DocumentFinding, ...]
    next_cursor: str | None = None


class WorkflowStart(Model):
    """A workflow to start with `{"document": {"id", "version"}}` as its input."""

    definition: Definition


class IngestionProfile(Model):
    """What is done with a document once it was imported."""

    index: bool = True
    """Whether it can be found by searching."""
    process: bool = False
    """Whether its facts are found (`ai.process_document`) and kept with the version."""
    workflow: WorkflowStart | None = None


class NamedProfile(IngestionProfile):
    name: ProfileName
    updated_at: datetime | None = None
    """Null: nobody has set it, and it is as the product comes."""


class IngestionProfiles(Model):
    profiles: tuple[NamedProfile, ...]


class ImportDocument(Command):
    """Reads a stored version's text. Submitted by uploading only."""

    kind: ClassVar[str] = "documents.import"
    queue: ClassVar[str] = "search"
    internal: ClassVar[bool] = True
    scope: ClassVar[str] = "documents:write"
    max_attempts: ClassVar[int] = 8
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=1.0, jitter=Jitter.EQUAL)
    time_limit_seconds: ClassVar[float] = 300.0

    document: DocumentRef
    profile: ProfileName = DEFAULT_PROFILE


class RemoveDocument(Command):
    """Removes a deleted document's contents, and what was indexed of it. Submitted by `DELETE /api/documents/{id}` only."""

    kind: ClassVar[str] = "documents.remove"
    queue: ClassVar[str] = "search"
    internal: ClassVar[bool] = True
    scope: ClassVar[str] = "documents:write"
    max_attempts: ClassVar[int] = 20
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=2.0, jitter=Jitter.EQUAL)

    document: DocumentRef
