"""The filters that a template may use. What each costs is counted, and none returns more than a document's length."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from liquid.exceptions import FilterValueError, LiquidTypeError
from liquid.undefined import Undefined

from infrastructure.liquid import wording
from infrastructure.liquid.effort import Effort

MAX_CHARACTERS = 400_000
MAX_NUMBER = 10**30

_OF_LIQUID = frozenset(
    [
        *("abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "default", "divided_by", "downcase"),
        *("first", "floor", "last", "map", "minus", "modulo", "plus", "prepend", "reverse", "round", "size", "sort"),
        *("strip", "sum", "times", "truncate", "truncatewords", "uniq", "upcase", "where"),
    ]
)
_COSTS = {"date": 1_000, "money": 1_000, "number": 1_000}
"""Of a call, in characters looked at: those that write as a language does are slow."""
COST_OF_A_CALL = 10


def bounded_filters(
    known: Mapping[str, Callable[..., Any]], effort: Effort, undefined: type[Undefined]
) -> dict[str, Callable[..., Any]]:
    """Those of Liquid's own that do no harm, and ours."""
    filters = {name: function for name, function in known.items() if name in _OF_LIQUID}
    filters |= {"join": _join, "money": wording.money, "number": wording.number, "date": wording.day}
    return {name: _checked(name, function, effort, undefined) for name, function in filters.items()}


def _checked(name: str, function: Callable[..., Any], effort: Effort, undefined: type[Undefined]) -> Callable[..., Any]:
    """The filter, with bounds on what it takes and returns. Nothing found, as `first` of an empty list, is a missing value."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if name != "default":
            _note_missing(args)
        _count(name, args, effort)
        result = function(*args, **kwargs)
        if isinstance(result, str) and len(result) > MAX_CHARACTERS:
            raise FilterValueError(f"{name} made more than {MAX_CHARACTERS:,} characters", token=None)
        if isinstance(result, int) and abs(result) > MAX_NUMBER:
            raise FilterValueError(f"{name} made a number beyond 10^30", token=None)
        if result is None or (isinstance(result, list) and None in result):
            return undefined(f"the result of `{name}`")
        return result

    return checked


def _count(name: str, args: tuple[Any, ...], effort: Effort) -> None:
    effort.work(_COSTS.get(name, COST_OF_A_CALL))
    for value in args:
        effort.read(value)
    if name == "uniq" and args and isinstance(args[0], list):
        effort.work(len(args[0]) ** 2)  # It compares each with all before.


def _note_missing(values: Iterable[object]) -> None:
    """A filter would take a missing number for 0 and a missing text for none."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)


def _join(items: object, separator: object = " ") -> str:
    if isinstance(items, Undefined):
        return ""
    if not isinstance(items, list):
        raise LiquidTypeError(f"join needs a list, not {type(items).__name__}", token=None)
    words = [str(item) for item in items]
    if sum(map(len, words)) + len(str(separator)) * len(words) > MAX_CHARACTERS:
        raise FilterValueError(f"join would make more than {MAX_CHARACTERS:,} characters", token=None)
    return str(separator).join(words)
