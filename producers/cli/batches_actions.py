"""What `bucatini batches` does: asks the ingress, prints what it says."""

import json
from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

from pydantic import ValidationError

from producers.cli.command_input import NotACommand, flaws_of, text_of
from producers.cli.output import EXIT_ERROR, EXIT_OK, asking
from producers.cli.terminal import answer, note, say, say_json
from producers.client import BatchJob, Bucatini
from schemas.batches import Batch, BatchItem, ItemAnswer, ItemOutcome
from schemas.catalogue import UnknownKind, command_of

KEPT = (ItemOutcome.ACCEPTED, ItemOutcome.REPEATED)


def submit(file: str, name: str, idempotency_key: str | None, *, atomic: bool, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        lines = json_lines(text_of(file))
        wanted = [_wanted(number, line) for number, line in lines]
        batch = client.submit_many(wanted, name=name, atomic=atomic, idempotency_key=idempotency_key)
        if as_json:
            for outcome in batch.outcomes:
                say_json(outcome.model_dump_json())
        else:
            say(batch.id)
            _note_refused(batch.outcomes, [number for number, _ in lines])
        return EXIT_OK if all(one.outcome in KEPT for one in batch.outcomes) else EXIT_ERROR

    return asking(ask)


def json_lines(text: str) -> list[tuple[int, str]]:
    """The lines that say something, each with the number an editor shows. Only a line break ends one
    (https://jsonlines.org): U+2028 may stand inside JSON's text."""
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _wanted(number: int, line: str) -> BatchJob:
    try:
        item = BatchItem.model_validate(json.loads(line))
        command = command_of(item.kind, item.command)
    except ValidationError as error:
        raise NotACommand(f"line {number}: {flaws_of(error, 'it')}") from None
    except (ValueError, UnknownKind) as error:
        raise NotACommand(f"line {number}: {error}") from None
    terms = item.model_dump(include={one.name for one in fields(BatchJob)} - {"command"})
    return BatchJob(command, **terms)


def _note_refused(outcomes: tuple[ItemAnswer, ...], numbers: Sequence[int]) -> None:
    for number, one in zip(numbers, outcomes, strict=True):
        if one.outcome not in KEPT:
            why = "; ".join(f"{error.pointer} {error.detail}" for error in one.errors)
            note(f"bucatini: line {number} is {one.outcome}: {why}")


def show(batch_id: UUID, wait_seconds: float | None, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        batch = client.batch(batch_id)
        return _shown(batch.progress() if wait_seconds is None else batch.wait(wait_seconds), as_json=as_json)

    return asking(ask)


def cancel(batch_id: UUID, *, as_json: bool) -> int:
    return asking(lambda client: _shown(client.batch(batch_id).cancel(), as_json=as_json))


def _shown(batch: Batch, *, as_json: bool) -> int:
    counts = ", ".join(f"{count} {state}" for state, count in batch.by_state.items())
    answer(batch, f"batch {batch.id} is {batch.state}: {batch.fraction:.0%} ({counts})", as_json=as_json)
    return EXIT_OK
