"""Golden tests of prompts: what a version has to pass before a label may point to it."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from schemas.ai.fact_bounds import bounded
from schemas.ai.prompts import Industry, PromptName, PromptVersionNumber, VariableName
from schemas.model import FreeJson, Model

MAX_GOLDEN_TESTS: Final = 50

Phrase = Annotated[str, Field(min_length=1, max_length=1_000)]


class GoldenTest(Model):
    """An example that a version has to pass before a label may point to it. What is written is the headings and the texts of
    all sections."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"variables": {"firm": "Hale", "client": "Marlow Ltd"}, "contains": ["Marlow Ltd"]}]
        }
    )

    variables: Annotated[dict[VariableName, FreeJson], Field(max_length=200), AfterValidator(bounded)] = Field(
        default_factory=dict
    )
    industry: Industry | None = None
    """Whose overlays it is for; None for all versions."""
    contains: Annotated[tuple[Phrase, ...], Field(max_length=50)] = ()
    """Each has to stand in what is written."""
    lacks: Annotated[tuple[Phrase, ...], Field(max_length=50)] = ()
    max_characters: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class NamedGoldenTest(GoldenTest):
    name: PromptName
    updated_at: datetime


class GoldenTests(Model):
    tests: tuple[NamedGoldenTest, ...]


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


class PromptTestRuns(Model):
    runs: tuple[PromptTestRun, ...]
