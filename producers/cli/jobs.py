"""`bucatini submit` and `bucatini jobs`: submit a job, and see, follow and cancel jobs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast
from uuid import UUID

import typer

from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    cell,
    coloured,
    print_json,
    print_line,
    print_model,
    print_models,
    print_pretty_json,
    run,
)

if TYPE_CHECKING:
    from enum import StrEnum

    from rich.text import Text

    from events.envelope import CloudEvent
    from producers.client import Bucatini, JobOptions
    from schemas.jobs import Job, JobState, Timeline

Choice = TypeVar("Choice", bound="StrEnum")

jobs_app = typer.Typer(name="jobs", help="See, follow, cancel and replay jobs.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobId = Annotated[UUID, typer.Argument(metavar="ID", help="The job's id.")]

PAGE = 200
COLOURS = {"succeeded": "green", "failed": "red", "dead": "red", "cancelled": "yellow", "running": "cyan"}
SHOWN_DATA = ("kind", "attempt", "fraction", "message", "reason", "by")
"""What a watched event shows of its data; a result would fill the screen."""


def submit(
    kind: Annotated[str, typer.Argument(help="Such as ai.process_document.")],
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="The command's fields as a JSON object; - reads stdin.")
    ] = None,
    text_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The document; its name is the title if none is given."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The document's title.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="One more field; the value is JSON, or else text. Repeatable."
        ),
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="9 goes first.")] = None,
    run_at: Annotated[datetime | None, typer.Option(help="Not before this time (UTC).")] = None,
    deadline: Annotated[datetime | None, typer.Option(help="No attempt after this time (UTC).")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes two jobs.")] = None,
    concurrency_key: Annotated[str | None, typer.Option(help="Jobs that are limited together.")] = None,
    concurrency_limit: Annotated[int | None, typer.Option(min=1, help="So many of them run at a time.")] = None,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Wait for the result so long, and print it as JSON.")
    ] = None,
) -> None:
    """Submit one job and print its id, or with --wait its result."""
    from producers.cli.command_input import Given, command_from

    given = Given(json_file, text_file, title, tuple(fields or ()))
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

    def submit_one(client: "Bucatini") -> None:
        job = client.submit(command_from(kind, given), **options)
        if wait is None:
            print_line(job.id)
        else:
            job.result(timeout_seconds=wait)
            print_pretty_json(job.job.model_dump_json(include={"result"}))

    run(submit_one)


@jobs_app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""

    def list_all(client: "Bucatini") -> None:
        from schemas.commands import Queue
        from schemas.jobs import JobState

        jobs = client.jobs.list(
            state=_one_of(JobState, state), kind=kind, queue=_one_of(Queue, queue), limit=min(limit, PAGE)
        )
        print_jobs(list(islice(jobs, limit)), as_json=as_json)

    run(list_all)


@jobs_app.command("show")
def show_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job: what happened to it, and its result or its problem."""

    def show(client: "Bucatini") -> None:
        job = client.jobs.read(job_id)
        if as_json:
            print_json(job.model_dump_json())
        else:
            _print_job(job, client.jobs.timeline(job_id))

    run(show)


@jobs_app.command("watch")
def watch_jobs(
    job_id: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="The job's id; all jobs if not given.")] = None,
    pattern: Annotated[str, typer.Option("--type", help="Which events of all jobs, such as 'search.*'.")] = "*",
    as_json: AsJson = False,
) -> None:
    """Print events as they happen: of one job until it ends, or of all jobs until Ctrl-C."""

    def watch(client: "Bucatini") -> int:
        for event in client.events.follow(pattern) if job_id is None else client.jobs.events(job_id):
            if as_json:
                print_json(event.model_dump_json(exclude_none=True))
            else:
                _print_event(event, with_job=job_id is None)
        return EXIT_OK if job_id is not None and client.jobs.read(job_id).state == "succeeded" else EXIT_ERROR

    run(watch)


@jobs_app.command("why")
def explain_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Say what keeps one job from running, or how far it is."""

    def explain(client: "Bucatini") -> None:
        explanation = client.jobs.why(job_id)
        print_model(explanation, f"{explanation.state}: {explanation.summary}", as_json=as_json)

    run(explain)


@jobs_app.command("cancel")
def cancel_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel one job. A run under way is stopped, and nothing of it is kept."""

    def cancel(client: "Bucatini") -> None:
        job = client.jobs.cancel(job_id)
        print_model(job, f"job {job.id} is {job.state}", as_json=as_json)

    run(cancel)


@jobs_app.command("token")
def make_token(
    job_id: JobId,
    ttl: Annotated[int, typer.Option(min=10, max=3_600, metavar="SECONDS", help="How long it lasts.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Print a token with which a browser may read and follow one job, and nothing else."""

    def make(client: "Bucatini") -> None:
        made = client.jobs.token(job_id, ttl_seconds=ttl)
        print_model(made, made.token, as_json=as_json)

    run(make)


def print_jobs(jobs: "list[Job]", *, as_json: bool) -> None:
    """A line of JSON for each, or a table."""
    columns = ("id", "kind", "state", "created", "seconds", "problem")
    print_models(jobs, columns, _row, as_json=as_json, numbers=("seconds",))


def _options(given: Mapping[str, object]) -> "JobOptions":
    """What was given; its times are UTC."""
    options = {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in given.items()
        if value is not None
    }
    return cast("JobOptions", options)


def _one_of(choices: type[Choice], value: str | None) -> Choice | None:
    from producers.cli.command_input import NotACommand

    try:
        return None if value is None else choices(value)
    except ValueError:
        raise NotACommand(f"{value} isn't one of {', '.join(choices)}") from None


def _row(job: "Job") -> "tuple[str | Text, ...]":
    problem = job.problem.title if job.problem else ""
    return (str(job.id), job.kind, _state(job.state), f"{job.created_at:%m-%d %H:%M:%S}", _seconds(job), problem)


def _state(state: "JobState") -> "Text":
    return coloured(state, COLOURS.get(state, ""))


def _seconds(job: "Job") -> str:
    if job.started_at is None or (job.finished and job.finished_at is None):
        return ""
    return f"{((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds():.1f}"


def _print_job(job: "Job", timeline: "Timeline") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{job.id}[/]  {cell(job.kind)} ", _state(job.state), f" attempt {job.attempt}")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "at", "event", "data"):
        table.add_column(name)
    for entry in timeline.entries:
        shown = "" if entry.data is None or entry.data == job.result else _in_a_line(entry.data)
        table.add_row(str(entry.seq), f"{entry.at:%H:%M:%S.%f}"[:-3], cell(entry.type), cell(shown))
    console.print(table)
    if job.problem is not None:
        console.print(f"[red]{cell(job.problem.title)}[/] {cell(job.problem.detail)}")
    if job.result is not None:
        print_pretty_json(json.dumps(job.result, indent=2))
    if job.result_url is not None:
        console.print(f"its result has {job.result_bytes:,} bytes: GET {cell(job.result_url)}")


def _print_event(event: "CloudEvent", *, with_job: bool) -> None:
    from rich.console import Console

    data = _in_a_line({name: value for name, value in (event.data or {}).items() if name in SHOWN_DATA})
    job = f" {event.subject}" if with_job else ""
    Console().print(f"[dim]{event.time:%H:%M:%S}[/]{job} [bold]{cell(event.type)}[/] {cell(data)}", soft_wrap=True)


def _in_a_line(data: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in data.items())
