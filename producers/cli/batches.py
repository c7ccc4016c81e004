"""`bucatini batches`: many commands at once. Exit codes as for `bucatini jobs`."""

from typing import Annotated
from uuid import UUID

import typer

batches_app = typer.Typer(name="batches", help="Submit, see and cancel batches.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BatchId = Annotated[UUID, typer.Argument(metavar="ID", help="The batch's id.")]


@batches_app.command("submit")
def submit_batch(
    file: Annotated[str, typer.Argument(help='A line {"kind": …, "command": {…}} for each; - reads stdin.')],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    atomic: Annotated[bool, typer.Option("--atomic", help="Accept all of them or none.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes two batches.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit up to 1,000 commands and print the batch's id. Exit code 1 if one wasn't accepted."""
    from producers.cli import batches_actions

    raise typer.Exit(batches_actions.submit(file, name, idempotency_key, atomic=atomic, as_json=as_json))


@batches_app.command("show")
def show_batch(
    batch_id: BatchId,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Until it has ended, at the most so long.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a batch is."""
    from producers.cli import batches_actions

    raise typer.Exit(batches_actions.show(batch_id, wait, as_json=as_json))


@batches_app.command("cancel")
def cancel_batch(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel every job of it that hasn't ended."""
    from producers.cli import batches_actions

    raise typer.Exit(batches_actions.cancel(batch_id, as_json=as_json))
