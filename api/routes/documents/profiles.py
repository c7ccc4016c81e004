"""Lists, sets and removes ingestion profiles: what is done with a document once it was imported."""

from collections.abc import Mapping
from typing import Any

from api.auth.permissions import check_permissions
from api.auth.principal import Principal, Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, NoBody, json_answer
from api.http.validation import model_of
from infrastructure.postgres.documents import profiles
from schemas.ai import ProcessDocument
from schemas.documents import IngestionProfile, IngestionProfiles, NamedProfile
from schemas.problems import FieldProblem
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep
from schemas.workflow_tasks import task_problem

MAX_ERRORS = 50
PATH = "/api/document-profiles"
"""Not below /api/documents, where every name may be a document's id."""


async def list_profiles(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, IngestionProfiles(profiles=tuple(await call.orm.run(profiles.profiles))))


async def show_profile(call: Call[Empty, Empty]) -> Answer:
    found = await call.orm.run(profiles.profile, call.path["name"])
    if found is None:
        raise problems.not_found("profile")
    return json_answer(200, found)


async def set_profile(call: Call[IngestionProfile, Empty]) -> Answer:
    """200 with the profile. Repeating it is safe."""
    name = model_of(NamedProfile, {"name": call.path["name"]}).name
    check_profile(call.principal, call.body)
    return json_answer(200, await call.orm.run(profiles.set_profile, name, call.body))


async def remove_profile(call: Call[Empty, Empty]) -> Answer:
    if not await call.orm.run(profiles.remove_profile, call.path["name"]):
        raise problems.not_found("profile")
    return Answer(204)


async def check_known(call: Call[Any, Any], named: Mapping[str, str | None]) -> None:
    """Raises a Refusal at each pointer whose profile the tenant doesn't have."""
    if not any(named.values()):
        return
    known = {one.name for one in await call.orm.run(profiles.profiles)}
    unknown = [pointer for pointer, name in named.items() if name is not None and name not in known]
    if unknown:
        detail = f"there is no such profile; there are {', '.join(sorted(known))}"
        raise problems.invalid_fields(
            [FieldProblem(pointer=pointer, detail=detail) for pointer in unknown[:MAX_ERRORS]]
        )


def check_profile(principal: Principal, profile: IngestionProfile) -> None:
    """Raises a Refusal unless all that the profile starts can run, and the principal may start it. Checked once, here: the
    jobs that follow an import aren't checked again."""
    if profile.index:
        check_permissions(principal, IndexDocument.kind, None)
    if profile.process:
        check_permissions(principal, ProcessDocument.kind, None)
    if profile.workflow is not None:
        _check_workflow(principal, RunWorkflowStep(definition=profile.workflow.definition, input=None))


def _check_workflow(principal: Principal, command: RunWorkflowStep) -> None:
    if (problem := task_problem(command.definition)) is not None:
        errors = tuple(FieldProblem(pointer=f"/workflow{one.pointer}", detail=one.detail) for one in problem.errors)
        raise problems.Refusal(problem.model_copy(update={"errors": errors}))
    check_permissions(principal, command.kind, command)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        summary="List ingestion profiles",
        description="The default one first, as the product comes if nobody has set it.",
        handle=list_profiles,
        answers={200: IngestionProfiles},
        scope=Scope.DOCUMENTS_READ,
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/{{name}}",
        summary="Show an ingestion profile",
        handle=show_profile,
        answers={200: NamedProfile},
        scope=Scope.DOCUMENTS_READ,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/{{name}}",
        summary="Set an ingestion profile",
        description=(
            "Says what is done with a document that was uploaded with this profile, once it was imported: whether it can be "
            "found, whether its facts are kept, and which workflow begins with it, with "
            '`{"document": {"id": …, "version": …}}` for its input. Whatever it starts needs the same scopes as at its own '
            "endpoint, once: it goes on after the key is revoked. Documents that are being imported get what it says when "
            "their import ends."
        ),
        handle=set_profile,
        body=IngestionProfile,
        answers={200: NamedProfile},
        scope=Scope.DOCUMENTS_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="DELETE",
        path=f"{PATH}/{{name}}",
        summary="Remove an ingestion profile",
        description="Imports that name it get the default one, which can't be removed: it becomes what it was at first.",
        handle=remove_profile,
        answers={204: NoBody()},
        scope=Scope.DOCUMENTS_WRITE,
        problems=(404,),
    ),
)
