"""`bucatini batches`: many commands at once."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ids import job_of
from producers.cli.ingress import WrongUsage, run, show
from producers.cli.lazy_group import command_group
from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    One,
    Output,
    OutputOption,
    Rows,
    View,
    WatchOption,
    counted,
    print_line,
    print_note,
    print_view,
)

if TYPE_CHECKING:
    from producers.client import BatchJob, Bucatini
    from schemas.batches import Batch, ItemAnswer

app = command_group("Submit, see and cancel batches.")

BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch's id, or the first characters of it.")]


@app.command("submit")
def submit_batch(
    file: Annotated[str, typer.Argument(help='A line {"kind": …, "command": {…}} for each; - reads stdin.')],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    atomic: Annotated[bool, typer.Option("--atomic", help="Accept all of them or none.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes two batches.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit up to 1,000 commands and print the batch's id. Exit code 1 if one wasn't accepted."""

    def submit(client: "Bucatini") -> int:
        from producers.cli.command_input import text_of

        lines = json_lines(text_of(file))
        jobs = [_batch_job(number, line) for number, line in lines]
        batch = client.batches.submit(jobs, name=name, atomic=atomic, idempotency_key=idempotency_key)
        if output is Output.TABLE:
            print_line(batch.id)
            _print_refused(batch.outcomes, [number for number, _ in lines])
        else:
            print_view(Rows(batch.outcomes, (), "nothing was submitted"), output)
        return EXIT_OK if all(map(_is_kept, batch.outcomes)) else EXIT_ERROR

    run(submit)


@app.command("show")
def show_batch(
    batch: BatchId,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Until it has ended, at the most so long.")
    ] = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """Show how far a batch is."""

    def shown(client: "Bucatini") -> View:
        batch_id = job_of(client, batch, "batch")
        return _view(client.batches.read(batch_id) if wait is None else client.batches.wait(batch_id, wait))

    show(shown, output, watch=watch)


@app.command("cancel")
def cancel_batch(batch: BatchId, output: OutputOption = Output.TABLE) -> None:
    """Cancel every job of it that hasn't ended."""
    show(lambda client: _view(client.batches.cancel(job_of(client, batch, "batch"))), output)


def json_lines(text: str) -> list[tuple[int, str]]:
    """The lines that aren't blank, each with the number an editor shows. Only a line break ends one
    (https://jsonlines.org): U+2028 may stand inside JSON's text."""
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _batch_job(number: int, line: str) -> "BatchJob":
    from dataclasses import fields

    from pydantic import ValidationError

    from producers.cli.command_input import load_kinds
    from producers.cli.flaws import flaws_of
    from producers.client import BatchJob
    from schemas.batches import BatchItem
    from schemas.catalogue import UnknownKind, command_of

    load_kinds()
    try:
        item = BatchItem.model_validate(json.loads(line))
        command = command_of(item.kind, item.command)
    except ValidationError as error:
        raise WrongUsage(f"line {number}: {flaws_of(error, 'it')}") from None
    except (ValueError, UnknownKind) as error:
        raise WrongUsage(f"line {number}: {error}") from None
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


def _view(batch: "Batch") -> View:
    counts = ", ".join(f"{count} {state}" for state, count in batch.by_state.items())
    name = f" {batch.name!r}" if batch.name else ""
    line = f"batch {batch.id}{name} is {batch.state}: {batch.fraction:.0%} of {counted(batch.total, 'job')} ({counts})"
    return One(batch, [line], over=batch.finished)
