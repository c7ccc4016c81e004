# Generated from the kinds by `python -m producers.packaging`: declare a kind, and run it again.
"""Jobs, with what each kind of command brings."""

from __future__ import annotations  # What is only named here needn't be imported to submit something.

from typing import TYPE_CHECKING, Any, Unpack, overload

from producers.client.asynchronous.jobs import AsyncJobHandle, AsyncJobs
from schemas.commands import Command

if TYPE_CHECKING:
    from events.ai.analysis import ContentAnalyzed
    from events.ai.generation import DocumentGenerated
    from events.ai.processing import DocumentProcessed
    from events.keys import KeysRotated
    from events.search import DocumentIndexed
    from events.workflow import WorkflowCompleted
    from producers.client.commands import JobOptions
    from schemas.ai.analysis import AnalyzeContent
    from schemas.ai.generation import GenerateDocument
    from schemas.ai.processing import ProcessDocument
    from schemas.keys import RotateKeys
    from schemas.search.commands import IndexDocument
    from schemas.workflow import RunWorkflowStep


class AsyncTypedJobs(AsyncJobs):
    """Your jobs. Every call may raise ProblemAnswer or Unreachable."""

    @overload
    async def submit(
        self, command: AnalyzeContent, **options: Unpack[JobOptions]
    ) -> AsyncJobHandle[ContentAnalyzed]: ...

    @overload
    async def submit(
        self, command: GenerateDocument, **options: Unpack[JobOptions]
    ) -> AsyncJobHandle[DocumentGenerated]: ...

    @overload
    async def submit(
        self, command: ProcessDocument, **options: Unpack[JobOptions]
    ) -> AsyncJobHandle[DocumentProcessed]: ...

    @overload
    async def submit(self, command: RotateKeys, **options: Unpack[JobOptions]) -> AsyncJobHandle[KeysRotated]: ...

    @overload
    async def submit(
        self, command: IndexDocument, **options: Unpack[JobOptions]
    ) -> AsyncJobHandle[DocumentIndexed]: ...

    @overload
    async def submit(
        self, command: RunWorkflowStep, **options: Unpack[JobOptions]
    ) -> AsyncJobHandle[WorkflowCompleted]: ...

    @overload
    async def submit(self, command: Command, **options: Unpack[JobOptions]) -> AsyncJobHandle[Any]: ...

    async def submit(self, command: Command, **options: Unpack[JobOptions]) -> AsyncJobHandle[Any]:
        """The job, once it is kept. A repeat with the same idempotency key gives the same job; without one the client
        makes its own, so that its own repeats are safe."""
        return await self.submit_any(command, options)
