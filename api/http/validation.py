"""Parses and validates bodies and queries; errors become problems that name the field."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import jiter
from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from api.http import problems
from api.http.request_body import check_tree, pointer_to
from schemas.bounds import MAX_FREE_VALUES, MAX_REQUEST_LEVELS, too_deep, too_many_values
from schemas.model import Model
from schemas.problems import FieldProblem
from schemas.timestamps import looks_like_time

M = TypeVar("M", bound=Model)

MAX_ERRORS = 50
MAX_PARAMETERS = 30
LONGEST_TOKEN_QUERY = 2_000
LARGE_BODY_BYTES = 65_536
"""A smaller body is cheap enough to check value by value in Python."""

_NOTHING = object()
_LOST_PLUS = re.compile(r"^(\d{4}-\d\d-\d\d[Tt ][\d:.]+) (\d\d:\d\d)$", re.ASCII)
_DIGITS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_PLACE = re.compile(r"(.*) (at line \d+ column \d+)", re.DOTALL)


def model_of(model: type[M], tree: Any, place: list[str | int] | None = None) -> M:
    """Parsed JSON as the model. Raises a Refusal (422). `place` is the tree's path in the body, for error pointers."""
    try:
        taken = model.model_validate(tree)
    except ValidationError as error:
        raise problems.invalid_fields(body_problems(error, tree, place)) from None
    if coerced := _coerced(tree, taken, place or []):
        raise problems.invalid_fields(coerced[:MAX_ERRORS])
    return taken


def parse_json(body: bytes, max_levels: int = MAX_REQUEST_LEVELS, max_values: int = MAX_FREE_VALUES) -> Any:
    """The body as JSON. Raises a Refusal if it is too deep, has too many values, or has what RFC 8259 leaves undefined:
    duplicate names, lone surrogates, NaN."""
    large = len(body) > LARGE_BODY_BYTES
    if large:
        # Counted in the text, before any object is built.
        if too_deep(body, max_levels):
            raise problems.too_deep(max_levels)
        if too_many_values(body, max_values):
            raise problems.too_many_values(max_values)
    try:
        tree = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _malformed(str(error), max_levels) from None
    if not large or _may_be_unkept(body):
        check_tree(tree, max_levels)
    return tree


def _may_be_unkept(body: bytes) -> bool:
    """Whether the body may have a null character or a number beyond 64 bits or a double's range. Searches the text, which
    is much faster than walking the tree; false positives are possible."""
    alike = body.translate(_DIGITS_ALIKE, b"+-")
    return b"0" * 19 in alike or b"e000" in alike or b"\\u0000" in body


def _malformed(message: str, max_levels: int) -> problems.Refusal:
    found = _PLACE.fullmatch(message)
    reason, place = found.groups() if found else (message, "")
    if reason.startswith("recursion limit"):
        return problems.too_deep(max_levels)
    if reason.startswith("Detected duplicate key"):
        reason = "a name occurs twice in one object"
    return problems.malformed_json(f"{reason[:1].upper()}{reason[1:]} {place}".strip() + ".")


def query_model(model: type[M], query_string: bytes) -> M:
    """The query parameters as the model. Raises a Refusal (422)."""
    return _parsed_query(model, query_string) if query_string else _empty_query(model)


@cache
def _empty_query(model: type[M]) -> M:
    # Most requests have no query, and models are frozen, so the result is cached. A Refusal isn't.
    return _parsed_query(model, b"")


def _parsed_query(model: type[M], query_string: bytes) -> M:
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        detail = f"the query must be UTF-8, percent-encoded, with at most {MAX_PARAMETERS} parameters"
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
    """Restores the `+` of a time's offset, which form decoding turns into a space when it isn't percent-encoded."""
    return _LOST_PLUS.sub(r"\1+\2", text)


def token_in(query_string: bytes) -> str:
    """The `token` query parameter. It is read before the rest of the query, which is validated after authentication."""
    pairs = parse_qsl(query_string[:LONGEST_TOKEN_QUERY].decode("latin-1"), errors="replace")
    return next((value for name, value in pairs if name == "token"), "")


def body_problems(error: ValidationError, tree: Any, base: list[str | int] | None = None) -> list[FieldProblem]:
    """pydantic's errors as field problems, without the values sent. `base` is the tree's path in the body."""
    lines = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    return [FieldProblem(pointer=pointer_to((base or []) + _place(line, tree)), detail=_reason(line)) for line in lines]


def _place(line: ErrorDetails, tree: Any) -> list[str | int]:
    """The error's path in the client's document. pydantic adds parts that aren't in it, such as a union's tag; they are
    dropped, except that the last part may name a missing field."""
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
    """Where validation coerced one JSON type into another, such as text into a number: that is an error.

    pydantic's strict mode is no alternative: once a validator has seen the value it also refuses text for a time and a
    list for a tuple.
    """
    if isinstance(taken, Model) and isinstance(given, dict):
        inner = [(key, getattr(taken, name)) for key, name in _typed_fields(type(taken)) if key in given]
        return [flaw for key, value in inner for flaw in _coerced(given[key], value, [*place, key])]
    if isinstance(taken, tuple | list) and isinstance(given, list):
        pairs = enumerate(zip(given, taken, strict=False))
        return [flaw for index, (one, value) in pairs for flaw in _coerced(one, value, [*place, index])]
    if isinstance(taken, Mapping) and isinstance(given, dict):
        return [flaw for key in given if key in taken for flaw in _coerced(given[key], taken[key], [*place, key])]
    wanted = _wanted_instead(given, taken)
    return [] if wanted is None else [FieldProblem(pointer=pointer_to(place), detail=f"must be {wanted}")]


@cache
def _typed_fields(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """(name on the wire, attribute) of the fields with a fixed type. Free-form JSON is stored as sent and may be large, so
    it isn't compared."""
    fields = model.model_fields.items()
    return tuple((field.alias or name, name) for name, field in fields if not _is_free(field.annotation))


def _is_free(annotation: Any) -> bool:
    if annotation in (Any, JsonValue, NoneType):
        return True
    inner = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return _is_free(inner[0])
        case origin if origin in (Union, UnionType, list):
            return all(map(_is_free, inner))
        case origin if origin is dict:
            return _is_free(inner[1])
        case _:
            return False


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
