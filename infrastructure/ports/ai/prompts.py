"""The port of prompts, for jobs: a pinned version, rendered."""

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from schemas.ai.prompts import PromptRef, RenderedPrompt
from schemas.model import FreeJson


class Prompts(Protocol):
    async def rendered(
        self, tenant_id: UUID, ref: PromptRef, variables: Mapping[str, FreeJson]
    ) -> tuple[RenderedPrompt, tuple[str, ...]]:
        """The version with its variables filled in, and the given variables that it never mentions. Values are inserted as
        text: template syntax inside of them does nothing.

        Raises Refused when there is no such version, or a variable is missing or of another type; Unavailable when
        PostgreSQL can't be reached. Safe to repeat.
        """
        ...

    async def exposed(self, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
        """Notes which version the job was written with; once for each job."""
        ...
