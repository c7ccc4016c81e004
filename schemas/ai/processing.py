"""The command that reads one document."""

from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from schemas.ai.extraction_schema import check_extraction_schema
from schemas.ai.model_command import DocumentId, ModelCommand, Title
from schemas.document_references import check_source
from schemas.documents import DocumentRef, DocumentText, LanguageTag
from schemas.model import FreeJson


def _usable(schema: dict[str, FreeJson]) -> dict[str, FreeJson]:
    check_extraction_schema(schema)
    return schema


LEASE: Final = "This Lease is made on 3 March 2026 between Alder Ltd and Birch GmbH. The rent is EUR 1,250.00."


class ProcessDocument(ModelCommand):
    """Read one document: its language, summary, key phrases, dates, amounts, parties and defined terms; or what a schema asks
    for. Everything that is found has its passage.

    What is found in a stored document is kept with its version.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Lease", "text": LEASE}]})

    kind: ClassVar[str] = "ai.process_document"
    version: ClassVar[int] = 3
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True
    time_limit_seconds: ClassVar[float] = 900.0

    title: Title | None = None
    """What people call the document. It comes back with the result and isn't read for facts. Required with `text`."""
    text: DocumentText | None = None
    """Plain text or Markdown. Offsets in the result count its Unicode code points from 0. Give this or `document`."""
    document: DocumentRef | None = None
    """A stored document in place of `title` and `text`. The first million characters of its text are read."""
    language: LanguageTag | None = None
    """The document's language (BCP 47), if you know it; otherwise it is detected."""
    document_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["contract"])] | None = None
    """Your own word for the kind of document. It comes back with the result; extraction doesn't depend on it."""
    json_schema: Annotated[dict[str, FreeJson], Field(min_length=1, max_length=50), AfterValidator(_usable)] | None = (
        None
    )
    """A JSON schema (2020-12) of what to extract, an object at its top. Each value comes back with the passage that it was
    found in. Without it, the document's own facts are found: dates, amounts, parties, defined terms. Taken: types,
    properties, items, enums, bounds, patterns that can be matched in linear time, anyOf, oneOf, allOf and references to
    `$defs`; at most 500 parts and 12 levels."""
    document_id: DocumentId | None = None
    """Your own identifier. It comes back with the result."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        check_source(self, without=("title", "text"), never_with=("text", "document_id"))
        return self
