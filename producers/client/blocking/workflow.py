# Generated from asynchronous/workflow.py by `python -m producers.packaging`: edit that one.
"""Workflows: how far an instance is. `RunWorkflowStep` starts one, submitted like any other command."""

from producers.client.blocking.ports import Caller
from producers.client.requests import Id, get, path
from schemas.workflow import WorkflowInstance


class Workflow:
    """Your workflows. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def instance(self, instance_id: Id) -> WorkflowInstance:
        """An instance as it stands. Its id is its job's; it exists once that job has begun."""
        return self._client.ask(WorkflowInstance, get(path("workflow", "instances", instance_id)))
