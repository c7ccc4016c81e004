"""How a command reaches the ingress, and the exit code of what goes wrong there."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_USAGE,
    One,
    Output,
    Rows,
    View,
    clear_screen,
    print_error,
    print_line,
    print_view,
)

if TYPE_CHECKING:
    from infrastructure.settings import Settings
    from producers.client import Bucatini

V = TypeVar("V", Rows, One, View)

WATCH_SECONDS = 2.0


class NoIngress(Exception):
    """It isn't known where the ingress is, or with which key to ask it. The message says what to set."""


class WrongUsage(Exception):
    """What was typed can't be done. The message says what to change."""


def show(view_of: "Callable[[Bucatini], View]", output: Output, *, watch: bool = False) -> NoReturn:
    """Prints what `view_of` returns; with `watch` whenever that has changed, until it is over or Ctrl-C."""

    def print_it(client: "Bucatini") -> None:
        if watch:
            print_again(lambda: view_of(client), output)
        else:
            print_view(view_of(client), output)

    run(print_it)


def print_again(look: Callable[[], V], output: Output) -> V:
    """The last view, once nothing can change it any more. Each is printed when what it shows has changed."""
    before: object = None
    while True:
        view = look()
        now = view.things if isinstance(view, Rows) else view.thing
        if now != before or sys.stdout.isatty():  # On a terminal ages grow, also where nothing happens.
            clear_screen()
            print_view(view, output)
        if isinstance(view, One) and view.over:
            return view
        before = now
        time.sleep(WATCH_SECONDS)


def run(action: "Callable[[Bucatini], int | None]") -> NoReturn:
    """Ends the command with the exit code that `action` returns, None being EXIT_OK, or with the one of its error, which
    is printed on stderr."""
    raise typer.Exit(_exit_code(action))


def _exit_code(action: "Callable[[Bucatini], int | None]") -> int:
    from pydantic import ValidationError

    from infrastructure import settings as settings_module
    from infrastructure.settings import SettingsInvalid
    from producers.client import BucatiniError, UnknownCommand

    try:
        with _client(settings_module.load()) as client:
            return action(client) or EXIT_OK
    except (NoIngress, SettingsInvalid, WrongUsage, UnknownCommand) as error:
        return print_error(error, EXIT_USAGE)
    except ValidationError as error:
        # The client checks what it sends by the ingress's own models.
        from producers.cli.flaws import flaws_of

        return print_error(WrongUsage(flaws_of(error, "what was typed")), EXIT_USAGE)
    except BucatiniError as error:
        return print_error(error, EXIT_ERROR)
    except KeyboardInterrupt:
        print_line("") if sys.stdout.isatty() else None
        return EXIT_OK


def _client(settings: "Settings") -> "Bucatini":
    """A client of the ingress that the settings name, or that a local stack in the home folder runs."""
    from infrastructure.local_stack.files.state_dir import Home
    from producers.client import Bucatini, Misconfigured
    from producers.client.address import checked_key, checked_url

    given, url = settings.bucatini_api_key, settings.bucatini_url
    key = given.get_secret_value() if given else Home(settings.bucatini_home).key()
    if url is None:
        raise NoIngress("no ingress is known: run `bucatini up` or set BUCATINI_URL")
    if not key:
        raise NoIngress("no key is known: run `bucatini up` in the same folder or set BUCATINI_API_KEY")
    try:
        return Bucatini(_checked("BUCATINI_URL", checked_url, url), _checked("BUCATINI_API_KEY", checked_key, key))
    except Misconfigured as error:
        raise NoIngress(str(error)) from None


def _checked(variable: str, check: Callable[[str], str], value: str) -> str:
    from producers.client import Misconfigured

    try:
        return check(value)
    except Misconfigured as error:
        raise NoIngress(f"{variable}: {error}") from None
