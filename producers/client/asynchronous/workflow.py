"""Workflows: how far an instance is. `RunWorkflowStep` starts one, submitted like any other command."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import Id, get, path
from schemas.workflow import WorkflowInstance


class AsyncWorkflow:
    """Your workflows. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def instance(self, instance_id: Id) -> WorkflowInstance:
        """An instance as it stands. Its id is its job's; it exists once that job has begun."""
        return await self._client.ask(WorkflowInstance, get(path("workflow", "instances", instance_id)))
