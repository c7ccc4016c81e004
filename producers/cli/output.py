"""What the command line prints, and the exit codes it ends with: 0 it went well, 1 it didn't, 2 it couldn't even be asked.

Nothing that was stored by a tenant steers the terminal that shows it: control characters and marks that turn the direction
of writing are printed as escapes. What is slow to import is imported where it is used, so help is instant.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from producers.cli.table import Column
    from schemas.model import Model

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2

PIPED_WIDTH: Final = 10_000
"""Of a table that is piped: a cell that ends in dots is of no use to a program."""
CLEARED: Final = "\x1b[H\x1b[2J\x1b[3J"

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STEERING_BUT_LINES = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Output(StrEnum):
    """How an answer is printed, by every command that has one."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


OutputOption = Annotated[
    Output,
    typer.Option("--output", "-o", help="For people, as one JSON document, or as a line of JSON for each thing."),
]
WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Show it again as it changes, until Ctrl-C.")]


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer of many things."""

    things: "Sequence[Model | Mapping[str, Any]]"
    columns: "Sequence[Column[Any]]"
    nothing: str
    """What is said when there are none, such as "no jobs"."""
    note: str = ""
    """What a person should know besides. On stderr."""


@dataclass(frozen=True, slots=True)
class One:
    """An answer of one thing: whole for a program, and the lines that a person reads."""

    thing: "Model | Mapping[str, Any]"
    lines: "Sequence[Text | str]"
    over: bool = False
    """Whether it stays as it is, so that nobody needs to watch it any longer."""


View = Rows | One


def print_view(view: View, output: Output) -> None:
    """As a table or lines for a person, or as JSON: one document, or one line for each thing."""
    match view, output:
        case Rows(things), Output.JSONL:
            for thing in things:
                print_json(_json(thing))
        case Rows(things), Output.JSON:
            inner = ",\n".join(_indented(_json(thing, indent=2)) for thing in things)
            print_json(f"[\n{inner}\n]" if inner else "[]")
        case Rows(), _:
            _print_rows(view)
        case One(thing), Output.JSONL:
            print_json(_json(thing))
        case One(thing), Output.JSON:
            print_json(_json(thing, indent=2))
        case One(_, lines), _:
            print_lines(lines)


def print_lines(lines: "Sequence[Text | str]") -> None:
    """Each on its own line, with its colours on a terminal."""
    from rich.text import Text

    console = _console()
    for line in lines:
        console.print(Text(printable(line)) if isinstance(line, str) else line, soft_wrap=True)


def screen_width() -> int | None:
    """None where it is piped: nothing is cut there."""
    return int(_console().width) if sys.stdout.isatty() else None


def clear_screen() -> None:
    """Nothing where it is piped: there each answer follows the one before."""
    if sys.stdout.isatty():
        print(CLEARED, end="", flush=True)


def print_line(line: object) -> None:
    print(printable(line), flush=True)


def print_text(text: str) -> None:
    """Several lines as they are, but for what steers a terminal."""
    print(
        _STEERING_BUT_LINES.sub(lambda found: _escape(found[0], "\\x{:02x}"), text.replace("\r\n", "\n")),
        end="",
        flush=True,
    )


def print_piece(text: str) -> None:
    """A piece of a longer text, as it comes; lines stay lines."""
    print(_STEERING_BUT_LINES.sub(lambda found: _escape(found[0], "\\x{:02x}"), text), end="", flush=True)


def print_note(line: object) -> None:
    """On stderr, beside the answer."""
    print(printable(line), file=sys.stderr, flush=True)


def print_error(error: object, exit_code: int) -> int:
    """The exit code, once the error is printed on stderr."""
    print_note(f"bucatini: {error}")
    return exit_code


def print_json(text: str) -> None:
    """JSON as the API writes it; what steers a terminal becomes JSON's own escapes, and so is read as it was."""
    print(_STEERING_BUT_LINES.sub(lambda found: _escape(found[0], "\\u{:04x}"), text), flush=True)


def print_table(table: "Table") -> None:
    """As wide as the terminal is; whole when piped."""
    _console().print(table, crop=False)


def coloured(text: str, colour: str) -> "Text":
    from rich.text import Text

    return Text(printable(text), colour)


def cell(text: object) -> str:
    """The text for rich, which takes none of it for markup."""
    from rich.markup import escape

    return escape(printable(text))


def printable(text: object) -> str:
    """The text on one line, with what steers a terminal written as Python would: `\\x1b`, `\\u202e`."""
    return _STEERING.sub(lambda found: _escape(found[0], "\\x{:02x}"), str(text))


def counted(count: int, thing: str, more: str = "") -> str:
    """`1 job`, `2 jobs`, `1 batch`, `2 batches`."""
    return f"{count:,} {thing if count == 1 else more or f'{thing}s'}"


def view_lines(things: "Sequence[Any]", columns: "Sequence[Column[Any]]") -> "list[Text]":
    """A table of them, as wide as the terminal is; whole when piped."""
    from rich.text import Text

    from producers.cli.table import table_lines

    shown = [[column.cell(thing) for column in columns] for thing in things]
    rows = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in shown]
    return list(table_lines(rows, columns, screen_width()))


def _print_rows(view: Rows) -> None:
    if not view.things:
        print_line(view.nothing)
    else:
        print_lines(view_lines(view.things, view.columns))
    if view.note:
        print_note(view.note)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PIPED_WIDTH)


def _json(thing: "Model | Mapping[str, Any]", indent: int | None = None) -> str:
    if isinstance(thing, Mapping):
        return json.dumps(thing, indent=indent, ensure_ascii=False, default=str)
    return thing.model_dump_json(indent=indent)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))


def _escape(character: str, narrow: str) -> str:
    code = ord(character)
    return (narrow if code < 0x100 else "\\u{:04x}").format(code)
