"""The calls that a job makes for its document."""

from dataclasses import dataclass

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import ModelRequest
from kinds.run import Run
from schemas.ai import GenerateDocument
from workers.ai.generation.brief import Brief
from workers.ai.pipeline.call import Listener, ModelCall, ModelReply, Next, PromptUsed


@dataclass(frozen=True, slots=True)
class Calls:
    """Asks a model in the name of one run."""

    command: GenerateDocument
    run: Run
    brief: Brief
    ask: Next
    sections: int = 2
    """How many there are, which is how often a call begins in the same way; a plan is followed by one at least."""

    async def plan(self, request: ModelRequest) -> ModelReply:
        return await self.ask(self._call(Purpose.PLAN, request, None, None))

    async def section(self, request: ModelRequest, number: int, listener: Listener, *, tried: int = 0) -> ModelReply:
        return await self.ask(self._call(Purpose.SECTION, request, number, listener, tried=tried))

    def _call(
        self,
        purpose: Purpose,
        request: ModelRequest,
        section: int | None,
        listener: Listener | None,
        *,
        tried: int = 0,
    ) -> ModelCall:
        prompt, command, run = self.brief.prompt, self.command, self.run
        label = None if command.prompt is None else command.prompt.label
        return ModelCall(
            tenant_id=run.tenant_id,
            purpose=purpose,
            request=request,
            models=command.models or prompt.models or (),
            job_id=run.job_id,
            job_attempt=run.attempt,
            kind=command.kind,
            section=section,
            prompt=PromptUsed(prompt.name, prompt.version, label),
            deadline=run.deadline,
            calls_alike=self.sections,
            to_come=self.sections - 1 if section is None else self.sections - section - 1,
            max_cost_usd=command.max_cost_usd,
            input_digests=self.brief.documents.digests,
            tried=tried,
            listener=listener,
            record=run.record,
        )
