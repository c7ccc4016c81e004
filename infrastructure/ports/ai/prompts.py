"""The ports of prompts, for jobs: a pinned version, rendered; and its tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from schemas.ai.golden_tests import GoldenTestResult, NamedGoldenTest
from schemas.ai.prompts import PromptRef, RenderedPrompt
from schemas.model import FreeJson


@dataclass(frozen=True, slots=True)
class VersionTests:
    """The golden tests that a version has to pass."""

    tests: tuple[NamedGoldenTest, ...]
    digest: bytes
    """Another one as soon as a test is added, changed or removed."""


class Prompts(Protocol):
    async def rendered(
        self, tenant_id: UUID, ref: PromptRef, variables: Mapping[str, FreeJson], *, job_id: UUID | None = None
    ) -> tuple[RenderedPrompt, tuple[str, ...]]:
        """The version with its variables filled in, and the given variables that it never mentions. Values are inserted as
        text: template syntax inside of them does nothing. A reference without a version, such as a workflow step's, gets the
        one that its label points to now; `job_id` decides which where the label is split and it has no subject.

        Raises Refused when there is no such version, or a variable is missing or of another type; Unavailable when
        PostgreSQL can't be reached. Safe to repeat.
        """
        ...

    async def exposed(self, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
        """Notes which version the job was written with; once for each job."""
        ...


class PromptTests(Protocol):
    """The tests that a version has to pass before a label may point to it."""

    async def tests(self, tenant_id: UUID, ref: PromptRef) -> VersionTests:
        """Those for the version. Raises Refused when there is no such version; Unavailable when PostgreSQL can't be reached."""
        ...

    async def record_tests(
        self, tenant_id: UUID, job_id: UUID, ref: PromptRef, tests: VersionTests, results: Sequence[GoldenTestResult]
    ) -> None:
        """Keeps how they went: by it the version's labels may be moved. Recording a job again replaces what it recorded."""
        ...
