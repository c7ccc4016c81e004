"""Checks the schemas of what is to be extracted, when jobs are accepted."""

from collections.abc import Sequence
from typing import TypeVar

from api.http import problems
from api.http.request_body import pointer_to
from infrastructure.json_schema.validation import SchemaUnusable, check_schema
from schemas.ai import ProcessDocument
from schemas.commands import Command
from schemas.problems import FieldProblem

C = TypeVar("C", bound=Command)
FIELD = "json_schema"


def with_usable_schema(command: C | problems.Refusal, place: Sequence[str | int]) -> C | problems.Refusal:
    """The command, or a Refusal (422) with a pointer to the part of its schema that can't be used, such as a pattern. What
    keywords and how many of them it may have, the command itself knows."""
    if not isinstance(command, ProcessDocument) or command.json_schema is None:
        return command
    try:
        check_schema(command.json_schema)
    except SchemaUnusable as error:
        pointer = pointer_to([*place, FIELD, *error.path])
        return problems.invalid_fields([FieldProblem(pointer=pointer, detail=str(error))])
    return command
