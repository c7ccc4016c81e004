"""`bucatini jobs`: see, follow, cancel and replay jobs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli.completion import known_kinds, known_queues
from producers.cli.ids import JobId, fingerprint_of, job_of
from producers.cli.ingress import WrongUsage, run, show
from producers.cli.job_views import JOB_COLUMNS, event_line, job_view
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
    print_json,
    print_lines,
    screen_width,
)
from producers.cli.submit import CommandFile
from schemas.failures import FailedState, ReplayFailures
from schemas.jobs import JobState

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group("See, follow, cancel and replay jobs.")

KindOption = Annotated[str | None, typer.Option(help="Only jobs of this kind.", autocompletion=known_kinds)]
QueueOption = Annotated[str | None, typer.Option(help="Only jobs of this queue.", autocompletion=known_queues)]

PAGE = 200
LIVE_TEXT = "ai.delta"
"""For `bucatini jobs text`: between other events its pieces can't be read."""


@app.command("list")
def list_jobs(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: KindOption = None,
    queue: QueueOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 20,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List jobs, the newest first."""

    def listed(client: "Bucatini") -> View:
        jobs = client.jobs.list(state=state, kind=kind, queue=queue, limit=min(limit, PAGE))
        return Rows(list(islice(jobs, limit)), JOB_COLUMNS, "no jobs")

    show(listed, output, watch=watch)


@app.command("show")
def show_job(job: JobId, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Show one job: what happened to it, and its result or its problem."""

    def shown(client: "Bucatini") -> View:
        job_id = job_of(client, job)
        return job_view(client.jobs.read(job_id), client.jobs.timeline(job_id), screen_width())

    show(shown, output, watch=watch)


@app.command("watch")
def watch_jobs(
    job: Annotated[str, typer.Argument(metavar="[ID]", help="The job's id, or its beginning; all jobs if none.")] = "",
    pattern: Annotated[str, typer.Option("--type", help="Which events of all jobs, such as 'search.*'.")] = "*",
    output: OutputOption = Output.TABLE,
) -> None:
    """Print events as they happen: of one job until it ends, or of all jobs until Ctrl-C. JSON is a line for each."""

    def watch(client: "Bucatini") -> int:
        job_id = job_of(client, job) if job else None
        for event in client.events.follow(pattern) if job_id is None else client.jobs.events(job_id):
            if output is not Output.TABLE:
                print_json(event.model_dump_json(exclude_none=True))
            elif event.type != LIVE_TEXT:
                print_lines([event_line(event, with_job=job_id is None)])
        return EXIT_OK if job_id is not None and client.jobs.read(job_id).state == "succeeded" else EXIT_ERROR

    run(watch)


@app.command("text")
def print_text(job: JobId) -> None:
    """Print the text that one job writes: on a terminal as it is written, in a pipe section by section."""
    from producers.cli.text import write_text

    run(lambda client: write_text(client, job_of(client, job)))


@app.command("why")
def explain_job(job: JobId, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Say what keeps one job from running, or how far it is."""

    def explained(client: "Bucatini") -> View:
        explanation = client.jobs.why(job_of(client, job))
        return One(explanation, [f"{explanation.state}: {explanation.summary}"])

    show(explained, output, watch=watch)


@app.command("cancel")
def cancel_job(job: JobId, output: OutputOption = Output.TABLE) -> None:
    """Cancel one job. A run under way is stopped, and nothing of it is kept."""

    def cancelled(client: "Bucatini") -> View:
        ended = client.jobs.cancel(job_of(client, job))
        return One(ended, [f"job {ended.id} is {ended.state}"])

    show(cancelled, output)


@app.command("token")
def make_token(
    job: JobId,
    ttl: Annotated[int, typer.Option(min=10, max=3_600, metavar="SECONDS", help="How long it lasts.")] = 600,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print a token with which a browser may read and follow one job, and nothing else."""

    def made(client: "Bucatini") -> View:
        token = client.jobs.token(job_of(client, job), ttl_seconds=ttl)
        return One(token, [token.token])

    show(made, output)


@app.command("replay")
def replay_jobs(
    job: Annotated[
        str, typer.Argument(metavar="[ID]", help="The job's id, or its beginning; all that match if not given.")
    ] = "",
    command_file: CommandFile = None,
    state: Annotated[FailedState | None, typer.Option(help="Only failed, or only dead jobs.")] = None,
    kind: KindOption = None,
    queue: QueueOption = None,
    problem: Annotated[str | None, typer.Option(help="Only this problem, such as time-limit.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Only this group of `bucatini failures`; its beginning will do.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Failed at this time (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Failed before this time (UTC).")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="How many at the most; 1000 if not given.")
    ] = None,
    per_second: Annotated[float | None, typer.Option(help="No faster than this.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run one ended job again, or all failed jobs that match."""
    chosen = {"state": state, "kind": kind, "queue": queue, "problem": problem, "fingerprint": fingerprint}
    bounds = {"since": since, "until": until, "limit": limit, "per_second": per_second}
    filters = {name: value for name, value in {**chosen, **bounds}.items() if value is not None}

    def replayed(client: "Bucatini") -> View:
        if not job:
            return _replay_many(client, filters, command_file, dry_run=dry_run)
        return _replay_one(client, job, command_file, {**filters, "dry_run": True} if dry_run else filters)

    show(replayed, output)


def _replay_one(client: "Bucatini", job: str, command_file: str | None, filters: Mapping[str, object]) -> One:
    from producers.cli.command_input import Given, command_from

    if filters:
        raise WrongUsage(f"{', '.join(sorted(filters))}: a job's own id is filter enough")
    job_id = job_of(client, job)
    command = None if command_file is None else command_from(client.jobs.read(job_id).kind, Given(command_file))
    queued = client.jobs.replay(job_id, command)
    return One(queued, [f"job {queued.id} is {queued.state}"])


def _replay_many(client: "Bucatini", filters: Mapping[str, Any], command_file: str | None, *, dry_run: bool) -> One:
    if command_file is not None:
        raise WrongUsage("--command is for one job: give its id")
    request = _request({**filters, "fingerprint": _whole(client, filters.get("fingerprint"))})
    if dry_run:
        count = client.failures.count(request)
        more = "" if count.counted_all else ", or more"
        return One(count, [f"{counted(count.count, 'job')} would be replayed{more}"])
    replay = client.failures.replay(request)
    return One(replay, [f"replay {replay.id} is under way; GET /api/replays/{replay.id} says how far it is"])


def _whole(client: "Bucatini", fingerprint: str | None) -> str | None:
    return None if fingerprint is None else fingerprint_of(client, fingerprint)


def _request(filters: Mapping[str, Any]) -> ReplayFailures:
    from pydantic import ValidationError

    times = {name: value.replace(tzinfo=UTC) for name, value in filters.items() if isinstance(value, datetime)}
    try:
        return ReplayFailures.model_validate({**filters, **times})
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongUsage(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None
