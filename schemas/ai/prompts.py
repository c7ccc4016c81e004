"""Prompts: templates for what models are asked, in immutable versions that labels point to."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from schemas.ai.model_command import ModelName
from schemas.model import FreeJson, Model

MAX_PROMPT_SECTIONS: Final = 50
MAX_TEMPLATE_CHARACTERS: Final = 50_000
MAX_GOLDEN_TESTS: Final = 50
PRODUCTION: Final = "production"

PromptName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["client_letter"])]
PromptLabel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=[PRODUCTION])]
PromptVersionNumber = Annotated[int, Field(ge=1, le=1_000_000)]
VariableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["client"])]
Template = Annotated[str, Field(min_length=1, max_length=MAX_TEMPLATE_CHARACTERS)]
"""Liquid. Variables are the declared ones; a value is inserted as text, whatever it looks like."""


class Industry(StrEnum):
    """What an overlay is for."""

    LEGAL = "legal"
    TECH = "tech"
    CONSULTING = "consulting"


class PromptRef(Model):
    """A prompt. Which version of it is used is pinned when the job is accepted: the given one, or the one that the label
    points to then, `production` if none is given. With both the version counts, and the label is only noted."""

    name: PromptName
    version: PromptVersionNumber | None = None
    label: PromptLabel | None = None
    industry: Industry | None = None
    """Takes the prompt's overlay for this industry, where it has one."""
    subject: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who the document is for. While a label is split between two versions, the same subject always gets the same one."""


class VariableType(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    LIST = "list"
    OBJECT = "object"


class PromptVariable(Model):
    """A variable that the templates may use."""

    type: VariableType = VariableType.TEXT
    description: Annotated[str, Field(max_length=500)] = ""
    required: bool = True
    default: FreeJson = None
    """For one that isn't required."""


class PromptSection(Model):
    """One section that is written by a call of its own."""

    heading: Template
    instruction: Template


class PromptContent(Model):
    """What a version says. An overlay gives only what it changes; the rest is its base's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "system": "You write letters for {{ firm }}. Be brief.",
                    "sections": [{"heading": "Summary", "instruction": "Say what {{ client }} should know first."}],
                    "variables": {"firm": {}, "client": {}},
                }
            ]
        }
    )

    system: Template | None = None
    """What holds for every call."""
    outline: Template | None = None
    """Asks for the plan of the sections, where they aren't given. Give this or `sections`."""
    sections: Annotated[tuple[PromptSection, ...], Field(min_length=1, max_length=MAX_PROMPT_SECTIONS)] | None = None
    variables: Annotated[dict[VariableName, PromptVariable], Field(max_length=100)] = Field(default_factory=dict)
    models: Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=5)] | None = None
    """Tried in turn, where the job names none."""
    max_output_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Of a section."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """For models that take one."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.outline is not None and self.sections is not None:
            raise ValueError("give either `outline` or `sections`")
        return self


class NewPrompt(Model):
    """A prompt with its first version."""

    name: PromptName
    description: Annotated[str, Field(max_length=1_000)] = ""
    content: PromptContent


class NewPromptVersion(Model):
    content: PromptContent
    industry: Industry | None = None
    """Makes it the overlay for this industry; None for the base."""
    note: Annotated[str, Field(max_length=1_000)] = ""


class PromptVersion(Model):
    """A version. It never changes."""

    name: PromptName
    version: PromptVersionNumber
    industry: Industry | None
    content: PromptContent
    """As it was given; an overlay without what its base says."""
    digest: str
    """SHA-256 of the content, as hexadecimal."""
    note: str
    created_at: datetime
    created_by: str


class Variant(Model):
    """A version and its share of a split label."""

    version: PromptVersionNumber
    percent: Annotated[int, Field(ge=1, le=100)]


class LabelMove(Model):
    """Points a label to a version, or splits it between two or more by percentages that add up to 100."""

    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=5)]
    because: Annotated[str, Field(max_length=1_000)] = ""


class PromptLabelState(Model):
    label: PromptLabel
    industry: Industry | None
    variants: tuple[Variant, ...]
    moved_at: datetime
    moved_by: str
    because: str


class Prompt(Model):
    name: PromptName
    description: str
    shipped: bool
    """Whether it came with Bucatini: every tenant can use it, and gets a copy of its own by adding a version."""
    newest_version: PromptVersionNumber
    labels: tuple[PromptLabelState, ...]
    created_at: datetime | None


class RenderRequest(Model):
    """What a prompt would say, without calling a model."""

    prompt: Annotated[dict[str, Any], Field(max_length=5)] = Field(default_factory=dict)
    """`version`, `label`, `industry` and `subject` of a PromptRef."""
    variables: Annotated[dict[VariableName, FreeJson], Field(max_length=200)] = Field(default_factory=dict)


class RenderedSection(Model):
    heading: str
    instruction: str


class RenderedPrompt(Model):
    """A version with its variables filled in."""

    name: PromptName
    version: PromptVersionNumber
    industry: Industry | None
    system: str
    outline: str | None
    sections: tuple[RenderedSection, ...]
    models: tuple[str, ...] | None
    max_output_tokens: int | None
    temperature: float | None


class GoldenTest(Model):
    """An example that a version has to pass before a label may point to it."""

    name: PromptName
    variables: Annotated[dict[VariableName, FreeJson], Field(max_length=200)] = Field(default_factory=dict)
    contains: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=1_000)], ...], Field(max_length=50)] = ()
    """Each has to stand in what is written."""
    lacks: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=1_000)], ...], Field(max_length=50)] = ()
    max_characters: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class GoldenTestResult(Model):
    test: PromptName
    passed: bool
    reasons: tuple[str, ...]


class PromptTestRun(Model):
    """How the tests of a prompt went for one version."""

    job_id: UUID
    version: PromptVersionNumber
    passed: bool
    results: tuple[GoldenTestResult, ...]
    at: datetime


Variables = Mapping[str, FreeJson]
