"""`bucatini`: the whole system from a terminal. Each command loads what it needs when it runs: help is instant."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from producers.cli.batches import batches_app
from producers.cli.failures import failures, replay_jobs
from producers.cli.groups import groups_app
from producers.cli.jobs import jobs_app, submit
from producers.cli.schedules import schedules_app
from producers.cli.webhooks import webhooks_app

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
app.command()(failures)
jobs_app.command("replay")(replay_jobs)
app.add_typer(jobs_app)
app.add_typer(batches_app)
app.add_typer(schedules_app)
app.add_typer(webhooks_app)
app.add_typer(groups_app)

Samples = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Send the documents of this folder once all is ready.")
]
Once = Annotated[bool, typer.Option("--once", help="Stop after the samples; the exit code is 1 if a job failed.")]
ToVersion = Annotated[
    str | None,
    typer.Option("--to", metavar="VERSION", help="Not to the newest tables but to these, be they older: 0007."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(samples: Samples = None, once: Once = False) -> None:
    """Start everything here; serve until Ctrl-C."""
    from producers.cli.up import bring_up

    raise typer.Exit(bring_up(samples, once=once))


@app.command()
def down() -> None:
    """Stop the local stack, as Ctrl-C would."""
    from producers.cli.status import take_down

    raise typer.Exit(take_down())


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show addresses, processes and the key's file."""
    from producers.cli.status import show_status

    raise typer.Exit(show_status(as_json=as_json))


@app.command()
def doctor() -> None:
    """Check what this needs; say what to do."""
    from producers.cli.doctor import examine

    raise typer.Exit(examine())


@app.command()
def migrate(to: ToVersion = None) -> None:
    """Update the tables; make the first admin key."""
    from producers.cli.migrate import bring_to

    raise typer.Exit(bring_to(to))


@app.command()
def api() -> None:
    """Serve the HTTP ingress."""
    _become("api")


@app.command()
def dispatcher() -> None:
    """Run the dispatcher; any number may run."""
    _become("producers.dispatcher")


@app.command()
def worker(pool: Annotated[str, typer.Argument(help="ai, search, workflow, keys or webhooks")]) -> None:
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
    """Run Celery's own commands: celery inspect active."""
    _become("infrastructure.celery", *context.args)


QueueName = Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="ai, search, workflow or keys")]
Kind = Annotated[str | None, typer.Option(help="Only jobs of this kind.")]
Tenant = Annotated[UUID | None, typer.Option(help="Only this tenant's jobs.")]
ArgumentPart = Annotated[
    str | None, typer.Option(metavar="JSON", help="Only commands that have these fields with these values.")
]
Reason = Annotated[str, typer.Option(help="Shown to whoever asks why a job waits.")]


@app.command()
def pause(
    reason: Reason,
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    argument: ArgumentPart = None,
) -> None:
    """Keep jobs from starting until `resume`."""
    from producers.cli.holds import hold

    raise typer.Exit(hold("pause", queue, kind, tenant, argument, reason))


@app.command()
def kill(
    reason: Reason,
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    argument: ArgumentPart = None,
) -> None:
    """Cancel jobs instead of starting them, until `resume`."""
    from producers.cli.holds import hold

    raise typer.Exit(hold("kill", queue, kind, tenant, argument, reason))


@app.command()
def resume(
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    hold: Annotated[UUID | None, typer.Option(help="A hold's id, as `bucatini holds` shows it.")] = None,
) -> None:
    """Remove what `pause` or `kill` set up."""
    from producers.cli.holds import resume

    raise typer.Exit(resume(queue, kind, tenant, hold))


@app.command()
def holds(as_json: AsJson = False) -> None:
    """List what is paused or killed, by whom, and why."""
    from producers.cli.holds import show_holds

    raise typer.Exit(show_holds(as_json=as_json))


@app.command()
def limit(
    tenant: Annotated[UUID, typer.Argument(help="The tenant's id.")],
    in_flight: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="No cap if not given.")] = None,
    weight: Annotated[int, typer.Option(min=1, max=100, help="Twice the weight, twice the share.")] = 1,
) -> None:
    """Set a tenant's cap and its share."""
    from producers.cli.holds import limit

    raise typer.Exit(limit(tenant, in_flight, weight))


def _become(*module: str) -> None:
    # Replaced, not wrapped: the service's own process id is what is watched, signalled and counted.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *module])  # noqa: S606  # no shell is wanted


def main() -> None:
    _accept_any_characters()
    app()


def _accept_any_characters() -> None:
    """Prints what the terminal's encoding lacks as a question mark, and reads arguments it can't decode as UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.argv = [typed.encode(errors="surrogateescape").decode(errors="replace") for typed in sys.argv]
