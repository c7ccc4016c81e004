"""Indexes documents, takes them out of the index again, and rebuilds it: all of it by jobs."""

from dataclasses import replace
from typing import Any, TypeVar

from pydantic import GetJsonSchemaHandler, ModelWrapValidatorHandler, model_validator
from pydantic_core import CoreSchema

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.commands import JobOptionsQuery, accept
from api.routes.documents.acceptance import import_options
from infrastructure.postgres.search.marking import unmark
from schemas.commands import Command
from schemas.search import (
    INDEX_KEY,
    IndexDocument,
    IndexDocuments,
    Indexes,
    IndexGeneration,
    IndexRemoval,
    Reindex,
    RollBack,
)

C = TypeVar("C", bound=Command)


class IndexRequest(IndexDocument):
    """One document, or many as `documents`."""

    @model_validator(mode="wrap")
    @classmethod
    def _one_or_many(cls, given: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        if isinstance(given, dict) and "documents" in given:
            return IndexDocuments.model_validate(given)
        return handler(given)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        forms = [handler(model.__pydantic_core_schema__) for model in (IndexDocument, IndexDocuments)]
        return {"title": cls.__name__, "description": cls.__doc__, "anyOf": forms}


async def unindex(call: Call[Empty, Empty]) -> Answer:
    """202 with the job that takes it out. From now on no rebuild, and no job that was submitted before, brings it back."""
    await call.admit_jobs()
    outcome = await call.db.run(
        unmark,
        call.path["id"],
        options=import_options(call),
        ring_again_seconds=call.ingress.settings.ring_again_seconds,
    )
    if outcome is None:
        raise problems.not_found("indexed document")
    call.ingress.submitter.ring_stored([outcome.stored])
    removal = IndexRemoval(id=call.path["id"], job_id=outcome.stored.ref.job_id)
    return json_answer(202, removal, (b"location", f"/api/jobs/{removal.job_id}".encode()))


async def show_indexes(call: Call[Empty, Empty]) -> Answer:
    states = await call.ingress.search.states(call.tenant_id)
    shown = [
        IndexGeneration(
            name=one.name,
            generation=one.generation,
            answers=one.answers,
            documents=one.documents,
            bytes=one.bytes,
            created_at=one.created_at,
        )
        for one in states
    ]
    return json_answer(200, Indexes(indexes=tuple(shown)), UNSHARED)


async def reindex(call: Call[Reindex, JobOptionsQuery]) -> Answer:
    return await accept(_alone(call))


async def roll_back(call: Call[RollBack, JobOptionsQuery]) -> Answer:
    """Pins the generation that is left, so that a repeated run doesn't go back and forth."""
    if call.body.leave is None:
        states = await call.ingress.search.states(call.tenant_id)
        leave = next((one.generation for one in states if one.answers), None)
        call = replace(call, body=call.body.model_copy(update={"leave": leave}))
    return await accept(_alone(call))


def _alone(call: Call[C, JobOptionsQuery]) -> Call[C, JobOptionsQuery]:
    """The same, waiting for the tenant's other jobs that work on its whole index."""
    return replace(call, query=call.query.model_copy(update={"concurrency_key": INDEX_KEY, "concurrency_limit": 1}))


ENDPOINTS = (
    Endpoint(
        method="DELETE",
        path="/api/search/index-document/{id}",
        summary="Take a document out of the index",
        description=(
            "It stays stored and can be indexed again; a job has it found no more. An id may have slashes, as they are or as "
            "`%2F`."
        ),
        handle=unindex,
        answers={202: IndexRemoval},
        scope=Scope.SEARCH_WRITE,
        problems=(404,),
        slashes=True,
    ),
    Endpoint(
        method="GET",
        path="/api/search/indexes",
        summary="Show the index and its generations",
        description="The one that answers first, and those that can be rolled back to.",
        handle=show_indexes,
        answers={200: Indexes},
        scope=Scope.SEARCH_READ,
    ),
)
