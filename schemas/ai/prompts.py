"""Prompts: templates for what models are asked, in immutable versions that labels point to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from schemas.ai.fact_bounds import bounded
from schemas.ai.model_command import ModelName
from schemas.ai.variable_types import VariableType, flaw_of
from schemas.model import FreeJson, Model

MAX_PROMPT_SECTIONS: Final = 50
MAX_TEMPLATE_CHARACTERS: Final = 50_000
MAX_CONTENT_CHARACTERS: Final = 150_000
"""Of all templates of a version."""
PRODUCTION: Final = "production"

PromptName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["client_letter"])]
PromptLabel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=[PRODUCTION])]
PromptVersionNumber = Annotated[int, Field(ge=1, le=1_000_000)]
SectionKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["fees"])]
VariableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["client"])]
Template = Annotated[str, Field(min_length=1, max_length=MAX_TEMPLATE_CHARACTERS)]
"""Liquid. Variables are the declared ones; a value is inserted as text, whatever it looks like."""


GIVEN_TO_EVERY_TEMPLATE: Final = {"title": "Document", "language": "en", "tone": "formal"}
"""Variables that no prompt declares: fields of the job that writes the document. The values are those of a rendering without
a job."""


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


class PromptVariable(Model):
    """A variable that the templates may use."""

    type: VariableType = VariableType.TEXT
    description: Annotated[str, Field(max_length=500)] = ""
    required: bool = True
    default: FreeJson = None
    """For one that isn't required."""

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default is None:
            return self
        if self.required:
            raise ValueError("a required variable has no `default`")
        if (flaw := flaw_of(self.default, self.type)) is not None:
            raise ValueError(f"the `default` {flaw}")
        return self


class PromptSection(Model):
    """One section that is written by a call of its own."""

    key: SectionKey | None = None
    """What an overlay names it by."""
    heading: Template
    instruction: Template
    after: SectionKey | None = None
    """In an overlay: which section a new one comes after. Without it, it comes last."""


class PromptContent(Model):
    """What a version says. An overlay gives only what it changes; the rest is its base's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "system": "You write letters for {{ firm }}. Be brief.",
                    "sections": [
                        {
                            "key": "first",
                            "heading": "Summary",
                            "instruction": "Say what {{ client }} should know first.",
                        }
                    ],
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
    """In an overlay: each takes the place of its base's section with the same key, and any other is added."""
    without: Annotated[tuple[SectionKey, ...], Field(max_length=MAX_PROMPT_SECTIONS)] = ()
    """In an overlay: the base's sections that it leaves out, by their keys."""
    variables: Annotated[dict[VariableName, PromptVariable], Field(max_length=100)] = Field(default_factory=dict)
    """In an overlay: those that it adds or declares otherwise."""
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
        keys = [one.key for one in self.sections or () if one.key is not None]
        if len(set(keys)) < len(keys):
            raise ValueError("two sections have the same `key`")
        if taken := GIVEN_TO_EVERY_TEMPLATE.keys() & self.variables.keys():
            raise ValueError(f"`{min(taken)}` is given to every template and isn't declared")
        if sum(map(len, self.templates().values())) > MAX_CONTENT_CHARACTERS:
            raise ValueError(f"the templates have more than {MAX_CONTENT_CHARACTERS:,} characters in all")
        return self

    def templates(self) -> dict[str, str]:
        """Each by its JSON pointer."""
        whole = {"/system": self.system, "/outline": self.outline}
        parts = {
            f"/sections/{place}/{part}": getattr(section, part)
            for place, section in enumerate(self.sections or ())
            for part in ("heading", "instruction")
        }
        return {pointer: text for pointer, text in (whole | parts).items() if text is not None}


class NewPrompt(Model):
    """A prompt with its first version."""

    name: PromptName
    description: Annotated[str, Field(max_length=1_000)] = ""
    content: PromptContent


class NewPromptVersion(Model):
    content: PromptContent
    industry: Industry | None = None
    """Makes it the overlay for this industry; None for the base."""
    base: PromptVersionNumber | None = None
    """Of an overlay: the version that it changes. Without it, that to which `production` points, or the newest base."""
    note: Annotated[str, Field(max_length=1_000)] = ""


class PromptVersionInfo(Model):
    """A version, without what it says. It never changes."""

    name: PromptName
    version: PromptVersionNumber
    industry: Industry | None
    base: PromptVersionNumber | None
    """Of an overlay: the version that it changes. A newer base changes nothing in it."""
    digest: str
    """SHA-256 of the content, as hexadecimal."""
    note: str
    created_at: datetime | None
    """None for one that came with Bucatini."""
    created_by: str


class PromptVersion(PromptVersionInfo):
    """A version. It never changes."""

    content: PromptContent
    """As it was given; an overlay without what its base says."""


class PromptVersions(Model):
    versions: tuple[PromptVersionInfo, ...]
    """The newest first."""
    next_cursor: str | None


class PromptChange(Model):
    """What one version says otherwise than another."""

    pointer: str
    """Into the content, such as `/sections/fees/instruction`: sections go by their keys where they have one."""
    before: FreeJson
    """None where there was nothing."""
    after: FreeJson


class PromptDiff(Model):
    """The difference between two versions, overlays taken together with their bases."""

    name: PromptName
    before: PromptVersionNumber
    after: PromptVersionNumber
    changes: tuple[PromptChange, ...]


class RenderRequest(Model):
    """What a prompt would say, without calling a model: which version, by the fields of a PromptRef, and its variables."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"variables": {"firm": "Hale", "client": "Marlow Ltd"}}]})

    version: PromptVersionNumber | None = None
    label: PromptLabel | None = None
    industry: Industry | None = None
    subject: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    variables: Annotated[dict[VariableName, FreeJson], Field(max_length=200), AfterValidator(bounded)] = Field(
        default_factory=dict
    )


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
