"""The workflow pool's job, bound to its adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.workflow import WorkflowCompleted
from infrastructure.ports.workflow import Instances
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.workflow.instances import StoredInstances
from infrastructure.settings import Settings
from kinds.declaration import job
from kinds.run import AwaitChildren, Run
from schemas.workflow import RunWorkflowStep
from workers.workflow.step_runner import run_workflow_step


@asynccontextmanager
async def stored_instances(settings: Settings) -> AsyncIterator[Instances]:
    async with TenantPool(settings.database, "workflow instances") as connections:
        yield StoredInstances(connections)


@job(uses=stored_instances)
async def run_step(command: RunWorkflowStep, run: Run, instances: Instances) -> WorkflowCompleted | AwaitChildren:
    return await run_workflow_step(command, run, instances=instances)
