# Generated from asynchronous/typed_jobs.py by `python -m producers.packaging`: edit that one.
# Generated from the kinds by `python -m producers.packaging`: declare a kind, and run it again.
"""Jobs, with what each kind of command brings."""

from __future__ import annotations  # What is only named here needn't be imported to submit something.

from typing import TYPE_CHECKING, Any, Unpack, overload

from producers.client.blocking.jobs import JobHandle, Jobs
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


class TypedJobs(Jobs):
    """Your jobs. Every call may raise ProblemAnswer or Unreachable."""

    @overload
    def submit(self, command: AnalyzeContent, **options: Unpack[JobOptions]) -> JobHandle[ContentAnalyzed]: ...

    @overload
    def submit(self, command: GenerateDocument, **options: Unpack[JobOptions]) -> JobHandle[DocumentGenerated]: ...

    @overload
    def submit(self, command: ProcessDocument, **options: Unpack[JobOptions]) -> JobHandle[DocumentProcessed]: ...

    @overload
    def submit(self, command: RotateKeys, **options: Unpack[JobOptions]) -> JobHandle[KeysRotated]: ...

    @overload
    def submit(self, command: IndexDocument, **options: Unpack[JobOptions]) -> JobHandle[DocumentIndexed]: ...

    @overload
    def submit(self, command: RunWorkflowStep, **options: Unpack[JobOptions]) -> JobHandle[WorkflowCompleted]: ...

    @overload
    def submit(self, command: Command, **options: Unpack[JobOptions]) -> JobHandle[Any]: ...

    def submit(self, command: Command, **options: Unpack[JobOptions]) -> JobHandle[Any]:
        """The job, once it is kept. A repeat with the same idempotency key gives the same job; without one the client
        makes its own, so that its own repeats are safe."""
        return self.submit_any(command, options)
