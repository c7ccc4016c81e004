"""The command that analyzes one text."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.ai.model_command import DocumentId, ModelCommand
from schemas.ai.processing import LEASE
from schemas.document_references import check_source
from schemas.documents import DocumentRef, DocumentText, LanguageTag
from schemas.model import Model


class Analysis(StrEnum):
    """One question about a text."""

    READABILITY = "readability"
    SENTIMENT = "sentiment"
    RISK_TERMS = "risk_terms"
    COMPARISON = "comparison"
    CLASSIFICATION = "classification"
    """Which of the given `categories` fit."""
    SCORING = "scoring"
    """How well the text meets each of the given `criteria`."""


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class Category(Model):
    """What a text may be classified as."""

    name: Name
    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    """In words that the text may use: it decides which texts fit."""


class Criterion(Model):
    """What a text is scored by."""

    name: Name
    description: Annotated[str, Field(min_length=1, max_length=1_000)]


class AnalyzeContent(ModelCommand):
    """Analyze one text: how hard it reads, its tone, its risky clauses, how it differs from a reference, which categories fit
    it and how well it meets criteria."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": LEASE, "analyses": ["readability", "risk_terms"]}]}
    )

    kind: ClassVar[str] = "ai.analyze_content"
    version: ClassVar[int] = 3
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True
    time_limit_seconds: ClassVar[float] = 900.0

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
    categories: Annotated[tuple[Category, ...], Field(max_length=50)] = ()
    """Needed by `classification`, and only by it."""
    criteria: Annotated[tuple[Criterion, ...], Field(max_length=20)] = ()
    """Needed by `scoring`, and only by it."""
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

    @model_validator(mode="after")
    def _what_they_need(self) -> Self:
        for analysis, field, given in (
            (Analysis.CLASSIFICATION, "categories", self.categories),
            (Analysis.SCORING, "criteria", self.criteria),
        ):
            if (analysis in self.analyses) != bool(given):
                raise ValueError(f"`{analysis}` needs `{field}`, and they are read by `{analysis}` only")
            names = [one.name for one in given]
            if len(set(names)) != len(names):
                raise ValueError(f"two of the {field} have the same name")
        return self
