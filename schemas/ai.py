"""The commands of the AI queue: process, generate and analyze documents."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from schemas.commands import Command
from schemas.document_references import check_source
from schemas.documents import DocumentRef, DocumentText, LanguageTag
from schemas.model import FreeJson, Model

MAX_READ_CHARACTERS = 1_000_000
"""So much of a stored document's text is read, from its beginning: about four hundred pages."""
MAX_FACT_CHARACTERS = 200_000
MAX_FACT_VALUES = 5_000
MAX_FACT_INTEGER = 10**15


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank; send at least one word")
    return text


Title = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_some_words)]
DocumentId = Annotated[str, Field(min_length=1, max_length=200, examples=["contracts/2026/0117"])]


_LEASE = "This Lease is made on 3 March 2026 between Alder Ltd and Birch GmbH. The rent is EUR 1,250.00."


class ProcessDocument(Command):
    """Read one document: its language, summary, key phrases, dates, amounts, parties and defined terms.

    What is found in a stored document is kept with its version.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Lease", "text": _LEASE}]})

    kind: ClassVar[str] = "ai.process_document"
    version: ClassVar[int] = 2
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True

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
    document_id: DocumentId | None = None
    """Your own identifier. It comes back with the result."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        check_source(self, without=("title", "text"), never_with=("text", "document_id"))
        return self


class TemplateName(StrEnum):
    """The built-in templates."""

    ENGAGEMENT_LETTER = "engagement_letter"
    MUTUAL_NDA = "mutual_nda"
    SERVICE_PROPOSAL = "service_proposal"
    STATUS_REPORT = "status_report"


class WritingLanguage(StrEnum):
    """Built-in wording exists in English for all templates, and in German for some."""

    ENGLISH = "en"
    GERMAN = "de"


class Tone(StrEnum):
    """Which of its wordings a template uses, where it has two."""

    FORMAL = "formal"
    PLAIN = "plain"


class SectionTemplate(Model):
    """One section of a document that the caller brings the wording for."""

    heading: Annotated[str, Field(min_length=1, max_length=300)]
    """Liquid, rendered to one line."""
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    """Liquid. Facts are variables; so are `title`, `language` and `tone`.

    `money: "EUR"`, `number` and `date` write values the way the document's language does.
    """


def _values(facts: FreeJson) -> Iterator[str | int | float | None]:
    unread: list[FreeJson] = [facts]
    while unread:
        value = unread.pop()
        if isinstance(value, dict):
            yield from value
            unread.extend(value.values())
        elif isinstance(value, list):
            yield None
            unread.extend(value)
        else:
            yield value


def _bounded(facts: dict[str, FreeJson]) -> dict[str, FreeJson]:
    characters = 0
    for count, value in enumerate(_values(facts), start=1):
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, int) and abs(value) > MAX_FACT_INTEGER:
            raise ValueError("a whole number beyond 10^15 must be sent as a string")
        if count > MAX_FACT_VALUES:
            raise ValueError(f"more than {MAX_FACT_VALUES:,} names and values; send fewer facts")
        if characters > MAX_FACT_CHARACTERS:
            raise ValueError(f"more than {MAX_FACT_CHARACTERS:,} characters in all; send fewer facts")
    return facts


FactName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Facts = Annotated[dict[FactName, FreeJson], Field(max_length=200), AfterValidator(_bounded)]

RESERVED_FACTS = frozenset({"title", "language", "tone"})


class GenerateDocument(Command):
    """Write one document from a built-in template or from your own sections, filled with the facts you give.

    A fact that the wording needs and that isn't given fails the job by name; nothing is ever invented or left blank.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Notice of rent",
                    "sections": [
                        {"heading": "Rent", "text": "The rent is {{ rent | money: 'EUR' }} from {{ start | date }} on."}
                    ],
                    "facts": {"rent": "1250.00", "start": "2026-03-03"},
                }
            ]
        }
    )

    kind: ClassVar[str] = "ai.generate_document"
    version: ClassVar[int] = 2
    queue: ClassVar[str] = "ai"
    aliases: ClassVar[tuple[str, ...]] = ("/api/ai/generate",)
    needs_processor: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 30.0

    title: Title
    template: TemplateName | None = None
    """A built-in template. Give this or `sections`."""
    sections: Annotated[tuple[SectionTemplate, ...], Field(min_length=1, max_length=50)] | None = None
    """Your own wording, in order. Give this or `template`."""
    facts: Facts = Field(default_factory=dict)
    """What the wording may mention. A null or a blank string counts as not given."""
    language: WritingLanguage = WritingLanguage.ENGLISH
    """Chooses a built-in template's wording, and how amounts, numbers and dates are written."""
    tone: Tone = Tone.FORMAL
    """Chooses between a template's wordings. The result says when the template has only one."""
    document_id: DocumentId | None = None
    """Your own identifier. It comes back with the result."""

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        sections = fields.get("sections")
        if version > 1 or not sections:
            return fields
        return {**fields, "sections": [{"heading": one["heading"], "text": one["body"]} for one in sections]}

    @model_validator(mode="after")
    def _one_source_of_wording(self) -> Self:
        if (self.template is None) == (self.sections is None):
            raise ValueError("give either `template` or `sections`")
        if taken := RESERVED_FACTS & self.facts.keys():
            raise ValueError(f"`{min(taken)}` is a field of its own and can't be a fact's name too")
        return self


class Analysis(StrEnum):
    """One question about a text."""

    READABILITY = "readability"
    SENTIMENT = "sentiment"
    RISK_TERMS = "risk_terms"
    COMPARISON = "comparison"


class AnalyzeContent(Command):
    """Measure one text: how hard it reads, its tone, its risky clauses, and how it differs from a reference."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": _LEASE, "analyses": ["readability", "risk_terms"]}]}
    )

    kind: ClassVar[str] = "ai.analyze_content"
    version: ClassVar[int] = 2
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True

    text: DocumentText | None = None
    """Plain text or Markdown. Offsets in the result count its Unicode code points from 0. Give this or `document`."""
    document: DocumentRef | None = None
    """A stored document in place of `text`. The first million characters of its text are read."""
    analyses: Annotated[tuple[Analysis, ...], Field(min_length=1, max_length=len(Analysis))] = (
        Analysis.READABILITY,
        Analysis.SENTIMENT,
        Analysis.RISK_TERMS,
    )
    """Which questions to answer, each at most once."""
    reference: DocumentText | None = None
    """What to compare with, such as the last version or the house standard. Needed by `comparison`, and only by it."""
    reference_document: DocumentRef | None = None
    """A stored document in place of `reference`."""
    language: LanguageTag | None = None
    """The text's language (BCP 47), if you know it; otherwise it is detected."""
    document_id: DocumentId | None = None
    """Your own identifier. It comes back with the result."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        check_source(self, without=("text",), never_with=("text", "document_id"))
        return self

    @model_validator(mode="after")
    def _reference_if_compared(self) -> Self:
        if len(set(self.analyses)) != len(self.analyses):
            raise ValueError("each analysis may be asked for once")
        references = (self.reference, self.reference_document)
        if references.count(None) == 0:
            raise ValueError("give either `reference` or `reference_document`")
        if (Analysis.COMPARISON in self.analyses) != (references.count(None) == 1):
            raise ValueError("`comparison` needs a `reference`, and a `reference` is read by `comparison` only")
        return self
