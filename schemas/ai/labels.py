"""Labels of prompts: names that are pointed to versions, and moved."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.ai.prompts import Industry, PromptLabel, PromptVersionNumber
from schemas.model import Model


class Variant(Model):
    """A version and its share of a split label."""

    version: PromptVersionNumber
    percent: Annotated[int, Field(ge=1, le=100)]


class LabelMove(Model):
    """Points a label to a version, or splits it between several of one industry by percentages that add up to 100. Versions of
    an overlay move the label for their industry only."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"variants": [{"version": 2, "percent": 100}]}]})

    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=5)]
    because: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(one.percent for one in self.variants) != 100:
            raise ValueError("the percentages must add up to 100")
        if len({one.version for one in self.variants}) < len(self.variants):
            raise ValueError("a version is given twice")
        return self


class LabelRollback(Model):
    """Moves a label back to where it pointed before. Again, it goes further back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"because": "It promised too much."}]})

    industry: Industry | None = None
    """Of an overlay; else where it points for all is moved back."""
    because: Annotated[str, Field(max_length=1_000)] = ""


class PromptLabelState(Model):
    label: PromptLabel
    industry: Industry | None
    variants: tuple[Variant, ...]
    moved_at: datetime | None
    """None for where it points since Bucatini came with the prompt."""
    moved_by: str
    because: str


class PromptLabels(Model):
    """Where a label points: for all, and for each industry that has an overlay."""

    states: tuple[PromptLabelState, ...]


class PromptLabelHistory(Model):
    """A label's moves, the newest first."""

    moves: tuple[PromptLabelState, ...]
    next_cursor: str | None


class PromptExposure(Model):
    """How many jobs were written with a version."""

    version: PromptVersionNumber
    label: PromptLabel | None
    """By which they got it; None for those that named the version."""
    jobs: int
    subjects: int
    """For whom, where their jobs said so."""


class PromptExposures(Model):
    exposures: tuple[PromptExposure, ...]
