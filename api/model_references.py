"""Checks that the models which commands name are known, when jobs are accepted."""

from collections.abc import Sequence
from typing import Any, TypeVar

from api.endpoint import Call
from api.http import problems
from api.http.request_body import pointer_to
from api.model_registry import registry_of
from infrastructure.model_registry.registry import UnknownModel
from schemas.ai import ModelCommand
from schemas.commands import Command
from schemas.problems import FieldProblem

C = TypeVar("C", bound=Command)
FIELD = "models"


async def with_known_models(
    call: Call[Any, Any], commands: Sequence[C | problems.Refusal], places: Sequence[Sequence[str | int]]
) -> list[C | problems.Refusal]:
    """The commands, or a Refusal (422) with pointers to the names that the registry doesn't have."""
    if not any(isinstance(one, ModelCommand) and one.models for one in commands):
        return [*commands]
    registry = await registry_of(call.ingress.settings)

    def checked(command: C | problems.Refusal, place: Sequence[str | int]) -> C | problems.Refusal:
        if not isinstance(command, ModelCommand):
            return command
        flaws = []
        for number, name in enumerate(command.models or ()):
            try:
                registry.model(name)
            except UnknownModel as unknown:
                flaws.append(FieldProblem(pointer=pointer_to([*place, FIELD, number]), detail=str(unknown)))
        return problems.invalid_fields(flaws) if flaws else command

    return [checked(command, place) for command, place in zip(commands, places, strict=True)]
