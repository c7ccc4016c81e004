"""`bucatini submit`: one job."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from producers.cli.completion import known_kinds
from producers.cli.ingress import run
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, print_note, print_view

if TYPE_CHECKING:
    from producers.client import Bucatini, JobOptions

app = command_group()


KindArgument = Annotated[str, typer.Argument(help="Such as ai.process_document.", autocompletion=known_kinds)]
CommandFile = Annotated[
    str | None, typer.Option("--command", metavar="FILE", help="The command's fields as a JSON object; - reads stdin.")
]
TextFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The document; its name is the title if none is given.")
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One more field; the value is JSON, or else text. Repeatable."),
]


@app.command()
def submit(
    kind: KindArgument,
    command_file: CommandFile = None,
    text_file: TextFile = None,
    title: Annotated[str | None, typer.Option(help="The document's title.")] = None,
    fields: Fields = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="9 goes first.")] = None,
    run_at: Annotated[datetime | None, typer.Option(help="Not before this time (UTC).")] = None,
    deadline: Annotated[datetime | None, typer.Option(help="No attempt after this time (UTC).")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes two jobs.")] = None,
    concurrency_key: Annotated[str | None, typer.Option(help="Jobs that are limited together.")] = None,
    concurrency_limit: Annotated[int | None, typer.Option(min=1, help="So many of them run at a time.")] = None,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Wait for the result so long, and print it as JSON.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print the text that it writes, as `jobs text` does.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit one job and print its id, or with --wait its result, or with --follow its text."""
    from producers.cli.command_input import Given, command_from

    given = Given(command_file, text_file, title, tuple(fields or ()))
    options = _options(
        {
            "priority": priority,
            "run_at": run_at,
            "deadline": deadline,
            "idempotency_key": idempotency_key,
            "concurrency_key": concurrency_key,
            "concurrency_limit": concurrency_limit,
        }
    )

    if follow and wait is not None:
        raise typer.BadParameter("it prints the text and --wait the result: give one of them", param_hint="--follow")

    def submit_one(client: "Bucatini") -> None:
        job = client.submit(command_from(kind, given), **options)
        if follow:
            from producers.cli.text import write_text

            print_note(f"job {job.id}")
            write_text(client, job.id)
        elif wait is None:
            print_view(One(job.job, [str(job.id)]), output)
        else:
            job.result(timeout_seconds=wait)
            result = {"result": job.job.result}
            print_view(One(result, []), Output.JSON if output is Output.TABLE else output)

    run(submit_one)


def _options(given: Mapping[str, object]) -> "JobOptions":
    """What was given; its times are UTC."""
    options = {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in given.items()
        if value is not None
    }
    return cast("JobOptions", options)
