"""Handles RunWorkflowStep: advances an instance by one task per run. Safe to repeat at any point."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from events.workflow import WorkflowCompleted
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.workflow import Instances
from kinds.run import AwaitChildren, Child, Run
from schemas.jobs import JobState
from schemas.problems import Problem
from schemas.workflow import InstanceState, InstanceStatus, RunWorkflowStep, WorkflowInstance
from schemas.workflow_tasks import task_problem
from workers.workflow.reducer import (
    Complete,
    Effect,
    GiveUp,
    RunTask,
    TaskEnded,
    TaskFailed,
    TaskSucceeded,
    advance,
    begin,
    effect_of,
)

MAX_RACES = 3


async def run_workflow_step(
    command: RunWorkflowStep, run: Run, *, instances: Instances
) -> WorkflowCompleted | AwaitChildren:
    """The next task to wait for, or the completed workflow. Raises Refused with the problem of a failed instance, and
    Unavailable when other runs keep writing it first."""
    for _ in range(MAX_RACES):
        known = await instances.read(run.tenant_id, run.job_id)
        # In a thread: up to 250 steps over 256 KB each would block the event loop.
        instance, effect = await asyncio.to_thread(_next, command, known, run.children)
        seen = 0 if known is None else known.version
        if instance is known or await instances.write(run.tenant_id, run.job_id, instance, seen=seen):
            return _answer(effect, instance, run.job_id)
    raise Unavailable("another run keeps advancing this workflow instance; it is tried again")


def _next(
    command: RunWorkflowStep, known: WorkflowInstance | None, children: Sequence[Child]
) -> tuple[InstanceState, Effect]:
    instance = next_state(command, known, children)
    return instance, effect_of(command.definition, instance)


def next_state(command: RunWorkflowStep, known: WorkflowInstance | None, children: Sequence[Child]) -> InstanceState:
    """The instance after its newly ended child; `known` itself when there is none."""
    if known is None:
        if problem := task_problem(command.definition):
            raise Refused(problem)
        return begin(command.definition, command.input)
    # A run repeated after a crash also gets children that the stored instance has already advanced over.
    taken_in = {step.job_id for step in known.steps}
    fresh = [child for child in children if child.job_id not in taken_in]
    if known.status is not InstanceStatus.RUNNING or not fresh:
        return known
    return advance(command.definition, known, _end_of(fresh[0]))


def _end_of(child: Child) -> TaskEnded:
    if child.state is JobState.SUCCEEDED:
        return TaskSucceeded(child.job_id, child.result)
    title = "The step was cancelled" if child.state is JobState.CANCELLED else "The step failed"
    return TaskFailed(child.job_id, child.problem or Problem.of("step-failed", title, 409))


def _answer(effect: Effect, instance: InstanceState, job_id: UUID) -> WorkflowCompleted | AwaitChildren:
    match effect:
        case RunTask(task):
            return AwaitChildren((task,))
        case Complete(output):
            steps = len(instance.steps)
            return WorkflowCompleted(instance_id=job_id, state=instance.state, output=output, steps=steps)
        case GiveUp(problem):
            raise Refused(problem)
