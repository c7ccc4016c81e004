"""The command that writes one document."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from schemas.ai.fact_bounds import bounded
from schemas.ai.model_command import DocumentId, ModelCommand, Title
from schemas.ai.prompts import PromptRef
from schemas.documents import DocumentId as StoredDocumentId
from schemas.documents import DocumentRef, Label, Tags
from schemas.model import FreeJson, Model

MAX_INPUTS = 20


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


FactName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Facts = Annotated[dict[FactName, FreeJson], Field(max_length=200), AfterValidator(bounded)]

RESERVED_FACTS = frozenset({"title", "language", "tone"})


class StoreAs(Model):
    """How a written document is stored. Storing again for the same job stores nothing new."""

    id: StoredDocumentId | None = None
    """Of the document; one is made if none is given. A document of this id gets a new version."""
    document_type: Label = "document"
    industry: Label | None = None
    tags: Tags = ()


class GenerateDocument(ModelCommand):
    """Write one document: from a prompt, which a model writes section by section, or from a built-in template or your own
    sections, which are filled with the facts you give.

    A fact that the wording needs and that isn't given fails the job by name; a template invents nothing and leaves no blank.
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
    version: ClassVar[int] = 3
    queue: ClassVar[str] = "ai"
    aliases: ClassVar[tuple[str, ...]] = ("/api/ai/generate",)
    needs_processor: ClassVar[bool] = True
    time_limit_seconds: ClassVar[float] = 900.0

    title: Title
    template: TemplateName | None = None
    """A built-in template. Give this, `sections` or `prompt`."""
    sections: Annotated[tuple[SectionTemplate, ...], Field(min_length=1, max_length=50)] | None = None
    """Your own wording, in order, which is filled and not written anew. Give this, `template` or `prompt`."""
    prompt: PromptRef | None = None
    """A prompt that a model writes from, a section at a time. Give this, `template` or `sections`."""
    inputs: Annotated[tuple[DocumentRef, ...], Field(max_length=MAX_INPUTS)] = ()
    """Stored documents that a prompt's sections are written from."""
    facts: Facts = Field(default_factory=dict)
    """What the wording may mention: the prompt's variables. A null or a blank string counts as not given."""
    language: WritingLanguage = WritingLanguage.ENGLISH
    """Chooses a built-in template's wording, and how amounts, numbers and dates are written."""
    tone: Tone = Tone.FORMAL
    """Chooses between a template's wordings. The result says when the template has only one."""
    store: StoreAs | None = None
    """Stores what was written as a document, or as a new version of one."""
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
        if [self.template, self.sections, self.prompt].count(None) != 2:
            raise ValueError("give one of `template`, `sections` and `prompt`")
        if self.inputs and self.prompt is None:
            raise ValueError("`inputs` are what a `prompt` is written from; give one")
        if taken := RESERVED_FACTS & self.facts.keys():
            raise ValueError(f"`{min(taken)}` is a field of its own and can't be a fact's name too")
        return self
