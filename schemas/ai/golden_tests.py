"""Golden tests of prompts: what a version has to pass before a label may point to it."""

from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from schemas.ai.fact_bounds import bounded
from schemas.ai.model_command import MAX_MODELS, Dollars, ModelCommand, ModelName
from schemas.ai.prompts import Industry, PromptName, PromptRef, PromptVersionNumber, VariableName
from schemas.model import FreeJson, Model

MAX_GOLDEN_TESTS: Final = 50

MAX_INPUTS: Final = 5

InputText = Annotated[str, Field(min_length=1, max_length=50_000)]
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
    inputs: Annotated[tuple[InputText, ...], Field(max_length=MAX_INPUTS)] = ()
    """Texts that it is written from, in place of documents."""
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


class TestPrompt(ModelCommand):
    """Run a prompt's golden tests on one version: each is rendered, a model writes from it, and what it wrote is checked.

    A label may point to a version that passed the present tests.
    """

    # Pytest would take it for a test otherwise.
    __test__: ClassVar[bool] = False

    kind: ClassVar[str] = "ai.test_prompt"
    queue: ClassVar[str] = "ai"
    internal: ClassVar[bool] = True
    scope: ClassVar[str] = "ai:write"
    needs_processor: ClassVar[bool] = True
    max_attempts: ClassVar[int] = 3
    time_limit_seconds: ClassVar[float] = 900.0

    prompt: PromptRef
    """With its version."""


class TestRequest(Model):
    """Which version is tested, by which models and for how much."""

    __test__: ClassVar[bool] = False

    version: PromptVersionNumber | None = None
    """Without it, the newest."""
    models: Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=MAX_MODELS)] | None = None
    max_cost_usd: Dollars | None = None
