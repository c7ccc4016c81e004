"""A kind of job that asks a model one thing, and shows its text as it comes."""

from typing import ClassVar

from events.envelope import DomainEvent
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import ModelRequest, user
from kinds.declaration import job
from kinds.run import Run
from schemas.ai.model_command import ModelCommand
from workers.ai.pipeline.call import ModelCall
from workers.ai.resources import Resources, resources


class Ask(ModelCommand):
    kind: ClassVar[str] = "bench.ask"
    queue: ClassVar[str] = "ai"
    needs_processor: ClassVar[bool] = True
    text: str
    live: bool = False


class Answered(DomainEvent):
    type: ClassVar[str] = "bench.answered"
    characters: int


class _Shown:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._offset = 0

    def write(self, delta: str) -> None:
        self._run.write(delta, section=0, offset=self._offset)
        self._offset += len(delta)

    async def restart(self, model: str, error_class: str) -> None:
        self._offset = 0


@job(uses=resources)
async def ask(command: Ask, run: Run, resources: Resources) -> Answered:
    resources.leave_processor(None, Purpose.SECTION)
    request = ModelRequest("", (user(command.text),), max_output_tokens=200)
    listener = _Shown(run) if command.live else None
    reply = await resources.ask(
        ModelCall(run.tenant_id, Purpose.SECTION, request, job_id=run.job_id, kind=command.kind, listener=listener)
    )
    return Answered(characters=len(reply.text))
