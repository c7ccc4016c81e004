"""What the command line prints, and the exit codes it ends with: 0 it went well, 1 it didn't, 2 it couldn't even be asked.

Nothing that was stored by a tenant steers the terminal that shows it: control characters and marks that turn the direction
of writing are printed as escapes. What is slow to import is imported where it is used, so help is instant.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from infrastructure.settings import Settings
    from producers.client import Bucatini
    from schemas.model import Model

M = TypeVar("M", bound="Model")

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2

UUID_WIDTH: Final = 36
PIPED_WIDTH: Final = 10_000
"""Of a table that is piped: a cell that ends in dots is of no use to a program."""

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STEERING_BUT_LINES = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class NoIngress(Exception):
    """It isn't known where the ingress is, or with which key to ask it. The message says what to set."""


def run(action: "Callable[[Bucatini], int | None]") -> NoReturn:
    """Ends the command with the exit code that `action` returns, None being EXIT_OK, or with the one of its error, which
    is printed on stderr."""
    raise typer.Exit(_exit_code(action))


def _exit_code(action: "Callable[[Bucatini], int | None]") -> int:
    from infrastructure import settings as settings_module
    from infrastructure.settings import SettingsInvalid
    from producers.cli.command_input import NotACommand
    from producers.client import BucatiniError, UnknownCommand

    try:
        with _client(settings_module.load()) as client:
            return action(client) or EXIT_OK
    except (NoIngress, SettingsInvalid, NotACommand, UnknownCommand) as error:
        return print_error(error, EXIT_USAGE)
    except BucatiniError as error:
        return print_error(error, EXIT_ERROR)
    except KeyboardInterrupt:
        return EXIT_OK


def _client(settings: "Settings") -> "Bucatini":
    """A client of the ingress that the settings name, or that a local stack in the home folder runs."""
    from infrastructure.local_stack.files.state_dir import Home
    from producers.client import Bucatini, Misconfigured
    from producers.client.address import checked_key, checked_url

    key = (
        settings.bucatini_api_key.get_secret_value()
        if settings.bucatini_api_key
        else Home(settings.bucatini_home).key()
    )
    if settings.bucatini_url is None:
        raise NoIngress("no ingress is known: run `bucatini up` or set BUCATINI_URL")
    if not key:
        raise NoIngress("no key is known: run `bucatini up` in the same folder or set BUCATINI_API_KEY")
    try:
        return Bucatini(
            _checked("BUCATINI_URL", checked_url, settings.bucatini_url), _checked("BUCATINI_API_KEY", checked_key, key)
        )
    except Misconfigured as error:
        raise NoIngress(str(error)) from None


def _checked(variable: str, check: Callable[[str], str], value: str) -> str:
    from producers.client import Misconfigured

    try:
        return check(value)
    except Misconfigured as error:
        raise NoIngress(f"{variable}: {error}") from None


def print_line(line: object) -> None:
    print(printable(line), flush=True)


def print_note(line: object) -> None:
    """On stderr, beside the answer."""
    print(printable(line), file=sys.stderr, flush=True)


def print_error(error: object, exit_code: int) -> int:
    """The exit code, once the error is printed on stderr."""
    print_note(f"bucatini: {error}")
    return exit_code


def print_json(text: str) -> None:
    """JSON as the API writes it; what steers a terminal becomes JSON's own escapes, and so is read as it was."""
    print(_escaped_json(text), flush=True)


def print_pretty_json(text: str) -> None:
    """Indented and coloured for a person; as it is when piped."""
    if not sys.stdout.isatty():
        print_json(text)
        return
    from rich.console import Console
    from rich.json import JSON

    Console().print(JSON(_escaped_json(text)))


def print_model(model: "Model", line: object, *, as_json: bool) -> None:
    """One thing: as JSON for a program, or as a line for a person."""
    if as_json:
        print_json(model.model_dump_json())
    else:
        print_line(line)


def print_models(
    models: Iterable[M],
    columns: Sequence[str],
    row: "Callable[[M], Sequence[str | Text]]",
    *,
    as_json: bool,
    numbers: Collection[str] = (),
    wrap: bool = False,
) -> None:
    """Many things: each as a line of JSON for a program, or as a row of a table for a person. The columns in `numbers` are
    set to the right; a cell that is too long is cut where the terminal ends, unless it may wrap."""
    if as_json:
        for model in models:
            print_json(model.model_dump_json())
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            min_width=UUID_WIDTH if name == "id" else None,
            no_wrap=name == "id" or not wrap,
            overflow="ellipsis",
        )
    for model in models:
        table.add_row(*(cell(value) if isinstance(value, str) else value for value in row(model)))
    print_table(table)


def print_table(table: "Table") -> None:
    """As wide as the terminal is; whole when piped."""
    from rich.console import Console

    (Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)).print(table, crop=False)


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


def _escaped_json(text: str) -> str:
    return _STEERING_BUT_LINES.sub(lambda found: _escape(found[0], "\\u{:04x}"), text)


def _escape(character: str, narrow: str) -> str:
    code = ord(character)
    return (narrow if code < 0x100 else "\\u{:04x}").format(code)
