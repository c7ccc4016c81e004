"""Turns what came over the wire into models, and what doesn't fit into problems that name the field."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import jiter
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api import problems
from api.limits import check_tree, pointer_to
from schemas.model import Model
from schemas.moments import looks_like_time
from schemas.problems import FieldProblem

M = TypeVar("M", bound=Model)

MOST_ERRORS = 50
MOST_PARAMETERS = 30
LONGEST_TOKEN_QUERY = 2_000

_NOTHING = object()
_LOST_PLUS = re.compile(r"^(\d{4}-\d\d-\d\d[Tt ][\d:.]+) (\d\d:\d\d)$", re.ASCII)
_PLACE = re.compile(r"(.*) (at line \d+ column \d+)", re.DOTALL)


def body_model(model: type[M], body: bytes, most_levels: int) -> M:
    """The body as the model, or a Refusal."""
    return model_of(model, parse_json(body, most_levels))


def model_of(model: type[M], tree: Any, place: list[str | int] | None = None) -> M:
    """The model made of JSON that was parsed, or a Refusal. `place` is where in the body the tree stands."""
    try:
        taken = model.model_validate(tree)
    except ValidationError as error:
        raise problems.invalid_fields(body_problems(error, tree, place)) from None
    if coerced := _coerced(tree, taken, place or []):
        raise problems.invalid_fields(coerced[:MOST_ERRORS])
    return taken


def parse_json(body: bytes, most_levels: int) -> Any:
    """The body's value. Refuses what RFC 8259 leaves open as well: repeated names, lone surrogates, NaN."""
    try:
        tree = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _malformed(str(error), most_levels) from None
    check_tree(tree, most_levels)
    return tree


def _malformed(message: str, most_levels: int) -> problems.Refusal:
    found = _PLACE.fullmatch(message)
    reason, place = found.groups() if found else (message, "")
    if reason.startswith("recursion limit"):
        return problems.too_deep(most_levels)
    if reason.startswith("Detected duplicate key"):
        reason = "a name occurs twice in one object"
    return problems.malformed_json(f"{reason[:1].upper()}{reason[1:]} {place}".strip() + ".")


def query_model(model: type[M], query_string: bytes) -> M:
    """The query parameters as the model, or a Refusal."""
    return _parsed_query(model, query_string) if query_string else _empty_query(model)


@cache
def _empty_query(model: type[M]) -> M:
    # Most requests have none, and what they get is frozen. A Refusal isn't remembered.
    return _parsed_query(model, b"")


def _parsed_query(model: type[M], query_string: bytes) -> M:
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        detail = f"the query must be UTF-8, percent-encoded, with at most {MOST_PARAMETERS} parameters"
        raise problems.invalid_query([FieldProblem(pointer="/query", detail=detail)]) from None
    given = {name: _with_offset(value) for name, value in pairs}
    if len(given) < len(pairs):
        raise problems.invalid_query([FieldProblem(pointer="/query", detail="a parameter occurs twice")])
    if any("\x00" in name for name in given):
        raise problems.invalid_query([FieldProblem(pointer="/query", detail="a name has a null character (U+0000)")])
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise problems.invalid_query(body_problems(error, given, ["query"])) from None


def _with_offset(text: str) -> str:
    """A time's `+`, which a form writes for a space and most who type an address don't encode. Nothing else looks so."""
    return _LOST_PLUS.sub(r"\1+\2", text)


def token_in(query_string: bytes) -> str:
    """The `token` among the query parameters, which are looked at as a whole only once the caller is known."""
    pairs = parse_qsl(query_string[:LONGEST_TOKEN_QUERY].decode("latin-1"), errors="replace")
    return next((value for name, value in pairs if name == "token"), "")


def body_problems(error: ValidationError, tree: Any, base: list[str | int] | None = None) -> list[FieldProblem]:
    """Where the tree doesn't fit and why, its values left out. `base` is where the tree stands in what was sent."""
    lines = error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
    return [FieldProblem(pointer=pointer_to((base or []) + _place(line, tree)), detail=_reason(line)) for line in lines]


def _place(line: ErrorDetails, tree: Any) -> list[str | int]:
    """The error's location as far as the caller's own document has it: pydantic adds steps of its own, such as a
    union's tag. The last one may also name what is missing."""
    parts: list[str | int] = []
    for position, part in enumerate(line["loc"], start=1):
        inner = _inner(tree, part)
        if inner is _NOTHING and not (position == len(line["loc"]) and line["type"] == "missing"):
            continue
        tree = inner
        parts.append(part)
    return parts


def _inner(tree: Any, part: str | int) -> Any:
    if isinstance(tree, dict):
        return tree.get(part, _NOTHING)
    if isinstance(tree, list) and isinstance(part, int) and part < len(tree):
        return tree[part]
    return _NOTHING


def _reason(line: ErrorDetails) -> str:
    match line["type"]:
        case "union_tag_invalid":
            # Its message repeats the tag that was sent.
            return f"must be one of {line.get('ctx', {}).get('expected_tags', 'the known ones')}"
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "is required"
        case "value_error" | "assertion_error":
            return line["msg"].partition(", ")[2]
        case _:
            return line["msg"]


def _coerced(given: Any, taken: Any, place: list[str | int]) -> list[FieldProblem]:
    """Where validation made one JSON type of another, such as a number of a text: on the wire that is an error.

    pydantic's own strict mode can't tell: it refuses text for a time or a list for a tuple as well, once a validator
    has looked at the value before.
    """
    if isinstance(taken, Model) and isinstance(given, dict):
        fields = type(taken).model_fields
        inner = [(field.alias or name, getattr(taken, name)) for name, field in fields.items()]
        return [flaw for key, value in inner if key in given for flaw in _coerced(given[key], value, [*place, key])]
    if isinstance(taken, tuple | list) and isinstance(given, list):
        pairs = enumerate(zip(given, taken, strict=False))
        return [flaw for index, (one, value) in pairs for flaw in _coerced(one, value, [*place, index])]
    if isinstance(taken, Mapping) and isinstance(given, dict):
        return [flaw for key in given if key in taken for flaw in _coerced(given[key], taken[key], [*place, key])]
    wanted = _wanted_instead(given, taken)
    return [] if wanted is None else [FieldProblem(pointer=pointer_to(place), detail=f"must be {wanted}")]


def _wanted_instead(given: Any, taken: Any) -> str | None:
    if isinstance(given, str) and isinstance(taken, datetime) and not looks_like_time(given):
        return "a time as RFC 3339 writes it"
    if isinstance(given, bool) is not isinstance(taken, bool):
        return "true or false" if isinstance(taken, bool) else "a number, not true or false"
    if isinstance(given, str) and isinstance(taken, int | float):
        return "a number, not text"
    if isinstance(given, int | float) and not isinstance(taken, int | float | None):
        return "text"
    return None
