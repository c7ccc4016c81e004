"""Liquid, with what a document or a prompt needs and nothing that grows without end.

Templates come from callers. Liquid's own limits hold nesting, output and the length of loops; they don't hold what a loop's
body costs, nor filters (one `replace` can ask for gigabytes), nor ranges ((1..1000000000) is a list of any length in a few
letters). So only harmless tags and filters exist, what they cost is counted beforehand, and there are no ranges.
"""

from collections.abc import Iterator
from typing import Any

from liquid import DictLoader, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidSyntaxError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.undefined import Undefined

from infrastructure.liquid.effort import Effort
from infrastructure.liquid.faults import FAULTS, fault_in
from infrastructure.liquid.filters import MAX_CHARACTERS, bounded_filters
from infrastructure.liquid.loops import CountedForTag
from infrastructure.liquid.template import Template, TemplateUnusable, template_of

_TAGS = frozenset(
    # The first three are how the library names plain text and output.
    ["content", "illegal", "output", "assign", "break", "capture", "case", "comment", "continue", "for", "if", "unless"]
)


class BoundedLiquid(Environment):
    """An environment for the templates of one document, which share its limits. Names that a template uses and nobody gave
    are noted in `missing`."""

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 20_000
    local_namespace_limit = 4_000_000
    output_stream_limit = 4 * MAX_CHARACTERS

    def __init__(self, missing: dict[str, None]) -> None:
        self.effort = Effort()
        self.missing = missing
        super().__init__(undefined=_noting(missing), loader=DictLoader({}))

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.tags["for"] = CountedForTag(self, self.effort)
        self.filters = bounded_filters(self.filters, self.effort, self.undefined)

    def begin(self) -> None:
        """Makes it a new document's: nothing is spent, nothing is missing."""
        self.effort.begin()
        self.missing.clear()

    def read(self, source: str) -> Template:
        """The template. Raises TemplateUnusable."""
        if "{{" not in source and "{%" not in source:
            return Template(None, source, {})
        try:
            parsed = self.from_string(source)
            _refuse_ranges(parsed)
            return template_of(parsed, source)
        except FAULTS as error:
            raise TemplateUnusable(fault_in(error)) from None


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
            message = "ranges can't be used; loop over a list that is given"
            raise LiquidSyntaxError(message, token=expression.token)
        expressions.extend(expression.children())


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
