"""Checks the values that a prompt is given against the variables that it declares. Needs no template engine."""

from collections.abc import Mapping
from typing import Any

from infrastructure.liquid.given import given, is_blank
from schemas.ai.prompts import GIVEN_TO_EVERY_TEMPLATE, PromptContent
from schemas.ai.variable_types import flaw_of
from schemas.model import FreeJson
from schemas.problems import FieldProblem

MAX_REPORTED = 20
CHOICES = {"language": ("en", "de"), "tone": ("formal", "plain")}


def flaws_in(values: Mapping[str, FreeJson], content: PromptContent) -> list[FieldProblem]:
    """Missing values, unknown ones and those of another type, with pointers into `values`. A null or a blank text counts as not
    given."""
    declared = content.variables
    known = f"; it takes {', '.join(sorted(declared))}" if declared else ""
    unknown = [
        FieldProblem(pointer=f"/{name}", detail=f"the prompt has no such variable{known}"[:300])
        for name in values
        if name not in declared and name not in GIVEN_TO_EVERY_TEMPLATE
    ]
    missing = [
        FieldProblem(pointer=f"/{name}", detail="the prompt needs it, and it isn't given")
        for name, variable in declared.items()
        if variable.required and is_blank(values.get(name))
    ]
    mistyped = [
        FieldProblem(pointer=f"/{name}", detail=flaw)
        for name, variable in declared.items()
        if not is_blank(value := values.get(name)) and (flaw := flaw_of(value, variable.type)) is not None
    ]
    return [*unknown, *missing, *mistyped, *_beyond_the_choices(values)][:MAX_REPORTED]


def _beyond_the_choices(values: Mapping[str, FreeJson]) -> list[FieldProblem]:
    """Of what is given to every template: a job takes it from fields of its own, a rendering or a test from its variables."""
    return [
        FieldProblem(pointer=f"/{name}", detail=f"must be {' or '.join(choices)}")
        for name, choices in CHOICES.items()
        if (value := values.get(name)) is not None and value not in choices
    ]


def filled(values: Mapping[str, FreeJson], content: PromptContent) -> dict[str, Any]:
    """What the templates are filled with: the given values, and defaults for the others."""
    defaults = {name: one.default for name, one in content.variables.items() if one.default is not None}
    return GIVEN_TO_EVERY_TEMPLATE | defaults | given(values)
