"""Liquid, with what a document needs and nothing that grows without end.

Templates come from callers. Liquid's own limits hold loops, nesting and output; they don't hold filters (one `replace`
can ask for gigabytes) nor ranges ((1..1000000000) is a list of any length in a few letters). So only harmless tags and
filters exist, no filter may return more than a document's length, and there are no ranges.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from liquid import DictLoader, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import FilterValueError, LiquidSyntaxError, LiquidTypeError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.undefined import Undefined

from infrastructure.offline import lexicons
from infrastructure.offline.generation import wording

MAX_CHARACTERS = 400_000
MAX_NUMBER = 10**30

_TAGS = lexicons.words("liquid_tags")
_FILTERS = lexicons.words("liquid_filters")


class BoundedLiquid(Environment):
    """An environment for one document. Names that a template uses and nobody gave are noted in `missing`."""

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 20_000
    local_namespace_limit = 4_000_000
    output_stream_limit = 4 * MAX_CHARACTERS

    def __init__(self, missing: dict[str, None]) -> None:
        super().__init__(undefined=_noting(missing), loader=DictLoader({}))

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        filters = {name: function for name, function in self.filters.items() if name in _FILTERS}
        filters |= {"join": _join, "money": wording.money, "number": wording.number, "date": wording.day}
        self.filters = {name: _checked(name, function, self.undefined) for name, function in filters.items()}

    def read(self, source: str) -> BoundTemplate:
        """The parsed template, or a LiquidError."""
        template = self.from_string(source)
        _refuse_ranges(template)
        return template


def _refuse_ranges(template: BoundTemplate) -> None:
    context = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    expressions: list[Expression] = []
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(context))
        expressions.extend(node.expressions())
    while expressions:
        expression = expressions.pop()
        if isinstance(expression, RangeLiteral):
            message = "ranges can't be used; loop over a list among the facts"
            raise LiquidSyntaxError(message, token=expression.token)
        expressions.extend(expression.children())


def _checked(name: str, function: Callable[..., Any], undefined: type[Undefined]) -> Callable[..., Any]:
    """The filter, with a bound on what it returns. Nothing found, as `first` of an empty list, is a missing value."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if name != "default":
            _note_missing(args)
        result = function(*args, **kwargs)
        if isinstance(result, str) and len(result) > MAX_CHARACTERS:
            raise FilterValueError(f"{name} made more than {MAX_CHARACTERS:,} characters", token=None)
        if isinstance(result, int) and abs(result) > MAX_NUMBER:
            raise FilterValueError(f"{name} made a number beyond 10^30", token=None)
        if result is None or (isinstance(result, list) and None in result):
            return undefined(f"the result of `{name}`")
        return result

    return checked


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


def _noting(missing: dict[str, None]) -> type[Undefined]:
    """What stands for a name that isn't given: false in a condition, and noted as soon as its value is used."""

    class Missing(Undefined):
        __slots__ = ()

        def _note(self) -> None:
            missing[_path(self)] = None

        def __str__(self) -> str:
            self._note()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._note()
            return iter(())

        def __len__(self) -> int:
            self._note()
            return 0

        def __int__(self) -> int:
            self._note()
            return 0

    return Missing


def _path(name: Undefined) -> str:
    """`client.address` of "client.address is undefined", which is where Liquid keeps the whole path."""
    hint = name.hint or ""
    return hint.removesuffix(" is undefined").strip("'") if hint.endswith(" is undefined") else name.name
