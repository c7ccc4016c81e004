"""`bucatini batches`: many commands at once."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from producers.cli.output import EXIT_ERROR, EXIT_OK, print_json, print_line, print_model, print_note, run

if TYPE_CHECKING:
    from producers.client import BatchJob, Bucatini
    from schemas.batches import Batch, ItemAnswer

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

    def submit(client: "Bucatini") -> int:
        from producers.cli.command_input import text_of

        lines = json_lines(text_of(file))
        jobs = [_batch_job(number, line) for number, line in lines]
        batch = client.batches.submit(jobs, name=name, atomic=atomic, idempotency_key=idempotency_key)
        if as_json:
            for outcome in batch.outcomes:
                print_json(outcome.model_dump_json())
        else:
            print_line(batch.id)
            _print_refused(batch.outcomes, [number for number, _ in lines])
        return EXIT_OK if all(map(_is_kept, batch.outcomes)) else EXIT_ERROR

    run(submit)


@batches_app.command("show")
def show_batch(
    batch_id: BatchId,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Until it has ended, at the most so long.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far a batch is."""

    def show(client: "Bucatini") -> None:
        batch = client.batches.read(batch_id) if wait is None else client.batches.wait(batch_id, wait)
        _print_batch(batch, as_json=as_json)

    run(show)


@batches_app.command("cancel")
def cancel_batch(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel every job of it that hasn't ended."""
    run(lambda client: _print_batch(client.batches.cancel(batch_id), as_json=as_json))


def json_lines(text: str) -> list[tuple[int, str]]:
    """The lines that aren't blank, each with the number an editor shows. Only a line break ends one
    (https://jsonlines.org): U+2028 may stand inside JSON's text."""
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _batch_job(number: int, line: str) -> "BatchJob":
    from dataclasses import fields

    from pydantic import ValidationError

    from producers.cli.command_input import NotACommand, flaws_of
    from producers.client import BatchJob
    from schemas.batches import BatchItem
    from schemas.catalogue import UnknownKind, command_of

    try:
        item = BatchItem.model_validate(json.loads(line))
        command = command_of(item.kind, item.command)
    except ValidationError as error:
        raise NotACommand(f"line {number}: {flaws_of(error, 'it')}") from None
    except (ValueError, UnknownKind) as error:
        raise NotACommand(f"line {number}: {error}") from None
    options = item.model_dump(include={one.name for one in fields(BatchJob)} - {"command"})
    return BatchJob(command, **options)


def _print_refused(outcomes: "Sequence[ItemAnswer]", numbers: Sequence[int]) -> None:
    for number, one in zip(numbers, outcomes, strict=True):
        if not _is_kept(one):
            reasons = "; ".join(f"{error.pointer} {error.detail}" for error in one.errors)
            print_note(f"bucatini: line {number} is {one.outcome}: {reasons}")


def _is_kept(item: "ItemAnswer") -> bool:
    from schemas.batches import ItemOutcome

    return item.outcome in (ItemOutcome.ACCEPTED, ItemOutcome.REPEATED)


def _print_batch(batch: "Batch", *, as_json: bool) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in batch.by_state.items())
    print_model(batch, f"batch {batch.id} is {batch.state}: {batch.fraction:.0%} ({counts})", as_json=as_json)
