"""What a job has finished of its document: earlier runs' work isn't done or paid for again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infrastructure.ports.ai.checkpoints import PLAN, Checkpoint, Checkpoints
from kinds.run import Run

_BRIEF = "brief"


@dataclass(frozen=True, slots=True)
class Finished:
    run: Run
    checkpoints: Checkpoints
    brief: str
    """The digest of what is written for; a job that is replayed with another command begins anew."""
    kept: Mapping[int, Mapping[str, Any]] = field(repr=False)
    """By section, as it was found when the run began."""

    @property
    def plan(self) -> Mapping[str, Any] | None:
        return self.kept.get(PLAN)

    @property
    def sections(self) -> int:
        """How many there were at the run's beginning: they are the first ones."""
        return len(self.kept.keys() - {PLAN})

    async def keep(self, section: int, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """The content that is kept: another run's, if that was faster."""
        checkpoint = Checkpoint(section, {**content, _BRIEF: self.brief})
        return (await self.checkpoints.keep(self.run.tenant_id, self.run.job_id, checkpoint)).content


async def finished_by(run: Run, brief: str, checkpoints: Checkpoints) -> Finished:
    """What the job's earlier runs kept for this brief. What they kept for another one is deleted."""
    kept = {number: one.content for number, one in (await checkpoints.of_job(run.tenant_id, run.job_id)).items()}
    if any(content.get(_BRIEF) != brief for content in kept.values()):
        await checkpoints.delete(run.tenant_id, run.job_id)
        kept = {}
    return Finished(run, checkpoints, brief, kept)
