"""`bucatini api`, `dispatcher`, `worker`, `flower` and `celery`: the processes, each started in this one's place."""

import os
import sys
from typing import Annotated

import typer

from producers.cli.completion import known_queues
from producers.cli.lazy_group import command_group

app = command_group()


@app.command()
def api() -> None:
    """Serve the HTTP ingress."""
    _become("api")


@app.command()
def dispatcher() -> None:
    """Run the dispatcher; any number may run."""
    _become("producers.dispatcher")


@app.command()
def worker(
    pool: Annotated[
        str,
        typer.Argument(help="ai, search, workflow, keys, webhooks, or one of your own", autocompletion=known_queues),
    ],
) -> None:
    """Run a worker for one pool; any number may run."""
    _become("workers.runtime", pool)


@app.command()
def flower() -> None:
    """Serve the Celery dashboard."""
    _become("producers.cli.flower")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def celery(context: typer.Context) -> None:
    """Run Celery's own commands, such as inspect."""
    _become("infrastructure.celery", *context.args)


def _become(*module: str) -> None:
    # Replaced, not wrapped: the service's own process id is what is watched, signalled and counted.
    sys.stdout.flush()
    # Safe paths: a folder of the user's that is named like one of ours hides none of ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", *module])  # noqa: S606  # no shell is wanted
