"""Starts workflow instances and shows their state."""

from api.auth.permissions import check_permissions
from api.auth.principal import Principal, Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, json_answer
from api.routes.commands import JobOptionsQuery, accept
from infrastructure.postgres.workflow import instances
from schemas.workflow import RunWorkflowStep, WorkflowInstance
from schemas.workflow_tasks import task_problem


async def start_workflow(call: Call[RunWorkflowStep, JobOptionsQuery]) -> Answer:
    """202 with the job. Its id is the instance's id."""
    check_start(call.principal, call.body)
    return await accept(call)


def check_start(principal: Principal, command: RunWorkflowStep) -> None:
    """Raises a Refusal when a task is invalid, or needs a scope that the principal lacks."""
    problem = task_problem(command.definition)
    if problem is not None:
        raise problems.Refusal(problem)
    check_permissions(principal, command.kind, command)


async def show_instance(call: Call[Empty, Empty]) -> Answer:
    """The instance's current state. It exists once its job has started."""
    instance_id = call.path_id("id", "workflow instance")
    instance = await call.db.run(instances.instance, instance_id)
    if instance is None:
        raise problems.not_found("workflow instance")
    return json_answer(200, instance)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/workflow/instances/{id}",
        summary="Show a workflow instance",
        description="Its id is the id of the job that started it. It exists once that job has begun.",
        handle=show_instance,
        answers={200: WorkflowInstance},
        scope=Scope.JOBS_READ,
        problems=(404,),
    ),
)
