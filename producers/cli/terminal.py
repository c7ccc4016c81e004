"""What the command line writes: lines, JSON and tables. Nothing that was stored by a tenant steers the terminal that shows it:
control characters and marks that turn the direction of writing are written as escapes."""

import re
import sys
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.table import Table

from schemas.model import Model

PIPED_WIDTH = 150
WHOLE_WIDTH = 10_000
"""For tables that are piped: a cell that ends in dots is of no use to a program."""

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STEERING_BUT_LINES = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: object) -> str:
    """The text on one line, with what steers a terminal written as Python would: `\\x1b`, `\\u202e`."""
    return _STEERING.sub(lambda found: _escaped(found[0], "\\x{:02x}"), str(text))


def cell(text: object) -> str:
    """The same for one of rich's markups, in which it stays text."""
    return escape(printable(text))


def say(line: object) -> None:
    print(printable(line), flush=True)


def note(line: object) -> None:
    """On stderr, beside the answer."""
    print(printable(line), file=sys.stderr, flush=True)


def complain(what: object, code: int) -> int:
    """The exit code, once it is said why."""
    note(f"bucatini: {what}")
    return code


def say_json(text: str) -> None:
    """JSON as the API writes it; what steers a terminal is written as JSON's own escapes and so is read as it was."""
    print(_json(text), flush=True)


def show_json(text: str) -> None:
    """Set and coloured for a person; as it is when piped."""
    if sys.stdout.isatty():
        Console().print(JSON(_json(text)))
    else:
        say_json(text)


def answer(found: Model, line: object, *, as_json: bool) -> None:
    """One thing, for a program or in a line."""
    if as_json:
        say_json(found.model_dump_json())
    else:
        say(line)


def show_table(table: Table) -> None:
    """As wide as the terminal is; whole when piped."""
    (Console() if sys.stdout.isatty() else Console(width=WHOLE_WIDTH)).print(table, crop=False)


def _json(text: str) -> str:
    return _STEERING_BUT_LINES.sub(lambda found: _escaped(found[0], "\\u{:04x}"), text)


def _escaped(character: str, narrow: str) -> str:
    code: Any = ord(character)
    return (narrow if code < 0x100 else "\\u{:04x}").format(code)
