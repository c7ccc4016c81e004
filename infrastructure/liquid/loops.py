"""`for`, which counts what a round costs before it begins."""

from collections.abc import Iterator
from typing import TextIO, cast

from liquid import Environment, RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.expression import Expression
from liquid.stream import TokenStream

from infrastructure.liquid.effort import Effort

_SETS_A_NAME = frozenset({"assign", "capture"})
COST_OF_SETTING_A_NAME = 20
"""Liquid measures all names that are set each time."""


class CountedForTag(ForTag):
    def __init__(self, environment: Environment, effort: Effort) -> None:
        super().__init__(environment)
        self._effort = effort

    def parse(self, stream: TokenStream) -> Node:
        node = cast(ForNode, super().parse(stream))
        node.block = _CountedBlock(node.block, self._effort)
        return node


class _CountedBlock(BlockNode):
    __slots__ = ("cost", "effort")

    def __init__(self, block: BlockNode, effort: Effort) -> None:
        super().__init__(block.token, block.nodes)
        self.effort = effort
        self.cost = 1 + sum(_cost_of(node) for node in _own_nodes(block.nodes))

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        self.effort.step(self.cost)
        return super().render_to_output(context, buffer)


def _own_nodes(nodes: list[Node]) -> Iterator[Node]:
    """All below, but for what stands in inner loops, which count their own rounds."""
    unread = list(nodes)
    while unread:
        node = unread.pop()
        yield node
        if isinstance(node, ForNode):
            unread.extend(node.default.nodes if node.default else [])
        else:
            # None of our tags needs the context to name what is in it.
            unread.extend(node.children(cast(RenderContext, None)))


def _cost_of(node: Node) -> int:
    cost, unread = 1, list(node.expressions())
    while unread:
        expression: Expression = unread.pop()
        cost += 1
        unread.extend(expression.children())
    return cost * (COST_OF_SETTING_A_NAME if node.token.value in _SETS_A_NAME else 1)
