"""What `bucatini submit` and `bucatini jobs` do: ask the ingress, print what it says."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from events.envelope import CloudEvent
from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import Home
from infrastructure.settings import Settings, SettingsInvalid
from producers.cli.command_input import Given, NotACommand, command_from
from producers.cli.terminal import answer, cell, complain, say, say_json, show_json, show_table
from producers.client import (
    Bucatini,
    JobFailed,
    Misconfigured,
    ProblemAnswer,
    ResultTimeout,
    UnknownCommand,
    Unreachable,
)
from producers.client.address import checked_key, checked_url
from producers.client.resources.jobs import JobOptions
from schemas.commands import Queue
from schemas.jobs import TERMINAL, Job, JobState, Timeline

EXIT_OK, EXIT_ERROR, EXIT_USAGE = 0, 1, 2
UUID_WIDTH = 36
COLOURS = {
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.DEAD: "red",
    JobState.CANCELLED: "yellow",
    JobState.RUNNING: "cyan",
}

TOLD = ("kind", "attempt", "fraction", "message", "reason", "by")
"""What a watched event shows of its data; a result would fill the screen."""


class NoIngress(Exception):
    """It isn't known where the ingress is, or with which key to ask it. The message says what to set."""


def submit(
    kind: str,
    given: Given,
    times: Mapping[str, datetime | None],
    others: Mapping[str, Any],
    *,
    wait_seconds: float | None,
) -> int:
    def ask(client: Bucatini) -> int:
        command = command_from(kind, given)
        job = client.submit(command, **_wishes(times, others))
        if wait_seconds is None:
            say(job.id)
            return EXIT_OK
        job.result(timeout_seconds=wait_seconds)
        show_json(job.job.model_dump_json(include={"result"}))
        return EXIT_OK

    return asking(ask)


def _wishes(times: Mapping[str, datetime | None], others: Mapping[str, Any]) -> JobOptions:
    moments = {name: None if value is None else value.replace(tzinfo=UTC) for name, value in times.items()}
    given = {name: value for name, value in {**moments, **others}.items() if value is not None}
    return cast(JobOptions, given)


def list_jobs(state: str | None, kind: str | None, queue: str | None, limit: int, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        wanted_state = None if state is None else _one_of(JobState, state)
        wanted_queue = None if queue is None else _one_of(Queue, queue)
        jobs = client.jobs(state=wanted_state, kind=kind, queue=wanted_queue, limit=min(limit, 200))
        found = list(islice(jobs, limit))
        print_jobs(found, as_json=as_json)
        return EXIT_OK

    return asking(ask)


def show_job(job_id: UUID, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        handle = client.job(job_id)
        if as_json:
            say_json(handle.job.model_dump_json())
        else:
            _print_job(handle.job, handle.timeline())
        return EXIT_OK

    return asking(ask)


def watch(job_id: UUID | None, pattern: str, *, as_json: bool) -> int:
    """For one job: how it ended. For all jobs: only Ctrl-C ends it."""

    def ask(client: Bucatini) -> int:
        handle = None if job_id is None else client.job(job_id)
        for event in client.events(pattern) if handle is None else handle.events():
            if as_json:
                say_json(event.model_dump_json(exclude_none=True))
            else:
                _print_event(event, with_job=handle is None)
        return EXIT_OK if handle is not None and handle.refresh().state is JobState.SUCCEEDED else EXIT_ERROR

    return asking(ask)


def explain_job(job_id: UUID, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        explanation = client.job(job_id).why()
        answer(explanation, f"{explanation.state}: {explanation.summary}", as_json=as_json)
        return EXIT_OK

    return asking(ask)


def cancel_job(job_id: UUID, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        job = client.job(job_id).cancel()
        answer(job, f"job {job.id} is {job.state}", as_json=as_json)
        return EXIT_OK

    return asking(ask)


def make_token(job_id: UUID, ttl_seconds: int, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        made = client.job(job_id).token(ttl_seconds=ttl_seconds)
        answer(made, made.token, as_json=as_json)
        return EXIT_OK

    return asking(ask)


def client_from(settings: Settings) -> Bucatini:
    """The ingress that the settings name, or that a local stack in the home folder runs."""
    key = settings.api_key.get_secret_value() if settings.api_key else Home(settings.bucatini_home).key()
    if settings.api_url is None:
        raise NoIngress("no ingress is known: run `bucatini up` or set API_URL")
    if not key:
        raise NoIngress("no key is known: run `bucatini up` in the same folder or set API_KEY")
    try:
        return Bucatini(_named("API_URL", checked_url, settings.api_url), _named("API_KEY", checked_key, key))
    except Misconfigured as error:
        raise NoIngress(str(error)) from None


def _named(variable: str, check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except Misconfigured as error:
        raise Misconfigured(f"{variable}: {error}") from None


def asking(ask: Callable[[Bucatini], int]) -> int:
    """What `ask` returns, or the exit code of what went wrong, which is told on stderr."""
    try:
        with client_from(settings_module.load()) as client:
            return ask(client)
    except (NoIngress, SettingsInvalid, NotACommand, UnknownCommand) as error:
        return complain(error, EXIT_USAGE)
    except (ProblemAnswer, JobFailed, ResultTimeout, Unreachable) as error:
        return complain(error, EXIT_ERROR)
    except ValidationError:
        return complain("the ingress answered what this client doesn't understand: is one of them older?", EXIT_ERROR)
    except KeyboardInterrupt:
        return EXIT_OK


def _one_of(choices: type[JobState] | type[Queue], value: str) -> Any:
    try:
        return choices(value)
    except ValueError:
        raise NotACommand(f"{value} isn't one of {', '.join(choices)}") from None


def print_jobs(jobs: list[Job], *, as_json: bool) -> None:
    """A line of JSON for each, or a table."""
    if as_json:
        for job in jobs:
            say_json(job.model_dump_json())
    else:
        _print_table(jobs)


def _print_table(jobs: list[Job]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("id", min_width=UUID_WIDTH)
    for name in ("kind", "state", "created", "seconds", "problem"):
        table.add_column(name, justify="right" if name == "seconds" else "left", no_wrap=True, overflow="ellipsis")
    for job in jobs:
        problem = cell(job.problem.title) if job.problem else ""
        created, seconds = f"{job.created_at:%m-%d %H:%M:%S}", _seconds(job)
        table.add_row(str(job.id), cell(job.kind), _coloured(job.state), created, seconds, problem)
    show_table(table)


def _print_job(job: Job, timeline: Timeline) -> None:
    console = Console()
    console.print(f"[bold]{job.id}[/]  {cell(job.kind)}  {_coloured(job.state)}  attempt {job.attempt}")
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
        show_json(json.dumps(job.result, indent=2))
    if job.result_url is not None:
        console.print(f"its result has {job.result_bytes:,} bytes: GET {cell(job.result_url)}")


def _print_event(event: CloudEvent, *, with_job: bool) -> None:
    said = _in_a_line({name: value for name, value in (event.data or {}).items() if name in TOLD})
    job = f" {event.subject}" if with_job else ""
    Console().print(f"[dim]{event.time:%H:%M:%S}[/]{job} [bold]{cell(event.type)}[/] {cell(said)}", soft_wrap=True)


def _in_a_line(data: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in data.items())


def _coloured(state: JobState) -> str:
    return f"[{COLOURS[state]}]{state}[/]" if state in COLOURS else str(state)


def _seconds(job: Job) -> str:
    if job.started_at is None or (job.state in TERMINAL and job.finished_at is None):
        return ""
    return f"{((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds():.1f}"
