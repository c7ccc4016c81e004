"""`bucatini`: the whole system from a terminal. A command group is one file, which is imported when it is used."""

import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Annotated, Any, Final

import typer
from typer.exceptions import TyperException

from producers.cli.lazy_group import Command, LazyGroup
from producers.cli.output import EXIT_ERROR, EXIT_USAGE, print_error, print_line

COMMANDS: Final[Mapping[str, Command]] = {
    "up": Command("producers.cli.up", "Start everything here; serve until Ctrl-C."),
    "down": Command("producers.cli.status", "Stop the local stack, as Ctrl-C would."),
    "status": Command("producers.cli.status", "Show addresses, processes and the key's file."),
    "doctor": Command("producers.cli.doctor", "Check what this needs; say what to do."),
    "submit": Command("producers.cli.submit", "Submit one job and print its id."),
    "jobs": Command("producers.cli.jobs", "See, follow, cancel and replay jobs."),
    "failures": Command("producers.cli.failures", "Show what failed and why, grouped by reason."),
    "batches": Command("producers.cli.batches", "Submit, see and cancel batches."),
    "documents": Command("producers.cli.documents", "Add documents; show, fetch, delete them."),
    "ai": Command("producers.cli.ai.group", "Write with models; show cost; keep their keys."),
    "prompts": Command("producers.cli.prompts", "Make, change, compare, fill and test prompts."),
    "search": Command("producers.cli.search", "Set the search engine up."),
    "schedules": Command("producers.cli.schedules", "Make, see, pause and run schedules."),
    "webhooks": Command("producers.cli.webhooks", "Have events sent to a URL; see and repeat it."),
    "groups": Command("producers.cli.groups", "See consumer groups; take events as a member."),
    "tenants": Command("producers.cli.tenants", "Make tenants; limit, suspend, erase them."),
    "api-keys": Command("producers.cli.api_keys", "Make, list and revoke API keys."),
    "holds": Command("producers.cli.holds", "List what is paused or killed, and why."),
    "pause": Command("producers.cli.holds", "Keep jobs from starting until `resume`."),
    "kill": Command("producers.cli.holds", "Cancel jobs instead of starting them."),
    "resume": Command("producers.cli.holds", "Remove what `pause` or `kill` set up."),
    "migrate": Command("producers.cli.migrate", "Update the tables; make the first admin key."),
    "api": Command("producers.cli.processes", "Serve the HTTP ingress."),
    "dispatcher": Command("producers.cli.processes", "Run the dispatcher; any number may run."),
    "worker": Command("producers.cli.processes", "Run a worker for one pool; any number may run."),
    "flower": Command("producers.cli.processes", "Serve the Celery dashboard."),
    "simulate": Command("producers.cli.simulate", "Stand in for AI providers, with faults on demand."),
    "celery": Command("producers.cli.processes", "Run Celery's own commands, such as inspect."),
}


class Commands(LazyGroup):
    index = COMMANDS


app = typer.Typer(
    cls=Commands,
    name="bucatini",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Help in colours costs more than half of its time.
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_line(f"bucatini {version('bucatini')}")
        raise typer.Exit


@app.callback()
def bucatini(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The event-driven worker system behind the Spaghetti document platform."""


def main() -> None:
    _accept_any_characters()
    _skip_the_command_line_of_httpx()
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        sys.exit(_print_usage_error(error))
    except typer.Abort:
        sys.exit(EXIT_ERROR)


def _print_usage_error(error: Any) -> int:
    """One line, as everything else that goes wrong; a group without its command shows its help."""
    message = str(error.format_message())
    if "\n" in message:
        error.show()
        return EXIT_USAGE
    hint = f" (see `{error.ctx.command_path} -h`)" if error.ctx else ""
    return print_error(f"{message.replace(': Value error, ', ': ')}{hint}", EXIT_USAGE)


def _accept_any_characters() -> None:
    """Prints what the terminal's encoding lacks as a question mark, and reads arguments it can't decode as UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.argv = [typed.encode(errors="surrogateescape").decode(errors="replace") for typed in sys.argv]


def _skip_the_command_line_of_httpx() -> None:
    # httpx imports a command line of its own, with click and the whole of rich, wherever click is installed. It takes
    # more time than httpx itself, and None makes that import fail as it does where click is missing.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is what the import system documents
