"""The workflow pool's handler, bound to its adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.workflow.instances import StoredInstances
from infrastructure.settings import Settings
from schemas.workflow import RunWorkflowStep
from workers.runtime.handler import Handler
from workers.workflow.step_runner import run_workflow_step


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    async with TenantPool(settings.database, "workflow instances") as connections:
        step = partial(run_workflow_step, instances=StoredInstances(connections))
        yield (Handler(RunWorkflowStep, step, awaits_children=True),)
