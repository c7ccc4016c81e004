"""Finds the example for a request, an answer or a stream."""

import json
from typing import Any

from pydantic import BaseModel

from api.documentation.examples import (
    batches,
    capabilities,
    documents,
    failures,
    jobs,
    models,
    outgoing,
    profiles,
    prompts,
    tenants,
)
from api.endpoint import AnyEndpoint
from schemas.commands import Command
from schemas.jobs import Job

_AREAS = (jobs, batches, failures, outgoing, capabilities, tenants, documents, profiles, models, prompts)
_ANSWERS: dict[type[BaseModel], BaseModel] = {type(one): one for area in _AREAS for one in area.ANSWERS}
_REQUESTS: dict[type[BaseModel], BaseModel] = {type(one): one for area in _AREAS for one in area.REQUESTS}


def request_of(model: type[BaseModel]) -> Any | None:
    """A body that an endpoint with this model takes; None when nobody gave one.

    A command brings its own, so that kinds from elsewhere have one too:

        model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Lease", "text": "…"}]})
    """
    if model in _REQUESTS:
        return json.loads(_REQUESTS[model].model_dump_json(exclude_unset=True))
    extra = model.model_config.get("json_schema_extra")
    given = extra.get("examples") if isinstance(extra, dict) else None
    return given[0] if isinstance(given, list) and given else None


def answer_of(endpoint: AnyEndpoint, status: int, model: type[BaseModel]) -> Any | None:
    """An answer of this model as the endpoint sends it; None when nobody gave one."""
    command = endpoint.body
    if model is Job and isinstance(command, type) and issubclass(command, Command):
        return _as_sent(jobs.submitted(command) if status == 202 else jobs.ended(command))
    return _as_sent(_ANSWERS[model]) if model in _ANSWERS else None


def _as_sent(answer: BaseModel) -> Any:
    return json.loads(answer.model_dump_json())
