"""What is wrong with a template, in words that quote neither the text around the fault nor a value."""

import re
from typing import Final

from liquid.exceptions import LiquidError

FAULTS: Final = (LiquidError, ArithmeticError, ValueError, TypeError, RecursionError)
"""What reading and rendering raise: Liquid's filters let some of Python's own errors through when a value isn't what they
expect."""
MAX_MESSAGE = 200
_TAG = re.compile(r"\{[{%][^{}]{0,80}\}{0,2}")


def fault_in(error: Exception) -> str:
    """Liquid's own words, with the line and the tag at fault."""
    message = str(error.message) if isinstance(error, LiquidError) and error.message else type(error).__name__
    return f"{_tag_at_fault(error)}{message[:MAX_MESSAGE]}"


def place_in(source: str, index: int) -> str:
    """`line 3, {{ client }}: ` for the tag that stands there."""
    start = max(source.rfind("{{", 0, index + 2), source.rfind("{%", 0, index + 2))
    line = source.count("\n", 0, index) + 1
    tag = _TAG.match(source, max(start, 0))
    return f"line {line}, {tag.group().strip()}: " if tag else f"line {line}: "


def _tag_at_fault(error: Exception) -> str:
    if not isinstance(error, LiquidError) or error.token is None or error.token.start_index < 0:
        return ""
    return place_in(error.token.source, error.token.start_index)
