"""`bucatini`: the whole system from a terminal. Each command loads what it needs when it runs: help is instant."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from producers.cli_jobs import jobs_app, submit
from producers.cli_webhooks import groups_app, webhooks_app

app = typer.Typer(
    name="bucatini",
    help="The event-driven worker system behind the Spaghetti document platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Help in colours costs more than half of its time.
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(submit)
app.add_typer(jobs_app)
app.add_typer(webhooks_app)
app.add_typer(groups_app)

Samples = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Send the documents of this folder once all is ready.")
]
Once = Annotated[bool, typer.Option("--once", help="Stop after the samples; the exit code is 1 if a job failed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(samples: Samples = None, once: Once = False) -> None:
    """Start everything here; serve until Ctrl-C."""
    from producers.cli_up import bring_up

    raise typer.Exit(bring_up(samples, once=once))


@app.command()
def down() -> None:
    """Stop the local stack, as Ctrl-C would."""
    from producers.cli_status import take_down

    raise typer.Exit(take_down())


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show addresses, processes and the key's file."""
    from producers.cli_status import show_status

    raise typer.Exit(show_status(as_json=as_json))


@app.command()
def doctor() -> None:
    """Check what this needs; say what to do."""
    from producers.cli_doctor import examine

    raise typer.Exit(examine())


@app.command()
def migrate() -> None:
    """Update the tables; make the first admin key."""
    from producers.cli_migrate import bring_up_to_date

    raise typer.Exit(bring_up_to_date())


@app.command()
def api() -> None:
    """Serve the HTTP ingress."""
    _become("api")


@app.command()
def dispatcher() -> None:
    """Run the dispatcher; any number may run."""
    _become("producers.dispatch")


@app.command()
def worker(pool: Annotated[str, typer.Argument(help="ai, search, workflow, keys or webhooks")]) -> None:
    """Run a worker for one pool; any number may run."""
    _become("workers.runtime", pool)


@app.command()
def flower() -> None:
    """Serve the Celery dashboard."""
    _become("producers.cli_flower")


def _become(*module: str) -> None:
    # Replaced, not wrapped: the service's own process id is what is watched, signalled and counted.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *module])  # noqa: S606  # no shell is wanted


def main() -> None:
    app()


if __name__ == "__main__":
    main()
