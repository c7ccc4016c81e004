"""`bucatini submit` and `bucatini jobs`: hand work in, and see what becomes of it. Exit codes: 0 it went well, 1 it
didn't, 2 it couldn't even be asked."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

jobs_app = typer.Typer(name="jobs", help="See, follow, cancel and replay jobs.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobId = Annotated[UUID, typer.Argument(metavar="ID", help="The job's id.")]


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
    from producers.cli import output
    from producers.cli.command_input import Given

    given = Given(json_file, text_file, title, tuple(fields or ()))
    times = {"run_at": run_at, "deadline": deadline}
    others = {
        "priority": priority,
        "idempotency_key": idempotency_key,
        "concurrency_key": concurrency_key,
        "concurrency_limit": concurrency_limit,
    }
    raise typer.Exit(output.submit(kind, given, times, others, wait_seconds=wait))


@jobs_app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    from producers.cli import output

    raise typer.Exit(output.list_jobs(state, kind, queue, limit, as_json=as_json))


@jobs_app.command("show")
def show_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job: what happened to it, and its result or its problem."""
    from producers.cli import output

    raise typer.Exit(output.show_job(job_id, as_json=as_json))


@jobs_app.command("watch")
def watch_jobs(
    job_id: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="The job's id; all jobs if not given.")] = None,
    pattern: Annotated[str, typer.Option("--type", help="Which events of all jobs, such as 'search.*'.")] = "*",
    as_json: AsJson = False,
) -> None:
    """Print events as they happen: of one job until it ends, or of all jobs until Ctrl-C."""
    from producers.cli import output

    raise typer.Exit(output.watch(job_id, pattern, as_json=as_json))


@jobs_app.command("why")
def explain_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Say what keeps one job from running, or how far it is."""
    from producers.cli import output

    raise typer.Exit(output.explain_job(job_id, as_json=as_json))


@jobs_app.command("cancel")
def cancel_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel one job. A run under way is stopped, and nothing of it is kept."""
    from producers.cli import output

    raise typer.Exit(output.cancel_job(job_id, as_json=as_json))


@jobs_app.command("replay")
def replay_jobs(
    job_id: Annotated[
        UUID | None, typer.Argument(metavar="[ID]", help="The job's id; all failed jobs that match if not given.")
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option("--command", metavar="FILE", help="For one job: the fields to run with; - reads stdin."),
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only failed, or only dead jobs.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    problem: Annotated[str | None, typer.Option(help="Only this problem, such as time-limit.")] = None,
    fingerprint: Annotated[str | None, typer.Option(help="Only this group of `bucatini failures`.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Failed at this time (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Failed before this time (UTC).")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="How many at the most; 1000 if not given.")
    ] = None,
    per_second: Annotated[float | None, typer.Option(help="No faster than this.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one ended job again, or all failed jobs that match."""
    from producers.cli import failures as cli_failures

    chosen = {"state": state, "kind": kind, "queue": queue, "problem": problem, "fingerprint": fingerprint}
    terms = {"since": since, "until": until, "limit": limit, "per_second": per_second}
    given = {name: value for name, value in {**chosen, **terms}.items() if value is not None}
    if job_id is None:
        raise typer.Exit(cli_failures.replay_many(given, json_file, dry_run=dry_run, as_json=as_json))
    if dry_run:
        given["dry_run"] = True
    raise typer.Exit(cli_failures.replay_one(job_id, json_file, given, as_json=as_json))


def failures(
    fingerprint: Annotated[str | None, typer.Argument(help="Show the jobs of this group.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Since this time (UTC); a week ago if not given.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what failed and why, grouped by reason."""
    from producers.cli import failures as cli_failures

    raise typer.Exit(cli_failures.show_failures(fingerprint, since, limit, as_json=as_json))


@jobs_app.command("token")
def make_token(
    job_id: JobId,
    ttl: Annotated[int, typer.Option(min=10, max=3_600, metavar="SECONDS", help="How long it lasts.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Print a token with which a browser may read and follow one job, and nothing else."""
    from producers.cli import output

    raise typer.Exit(output.make_token(job_id, ttl, as_json=as_json))
