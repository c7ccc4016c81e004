"""`bucatini failures` and `bucatini jobs replay`: what failed and why, and running it again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from producers.cli.jobs import AsJson, print_jobs
from producers.cli.output import print_model, print_models, print_note, run

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.failures import FailureGroup, ReplayFailures


def failures(
    fingerprint: Annotated[str | None, typer.Argument(help="Show the jobs of this group.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Since this time (UTC); a week ago if not given.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what failed and why, grouped by reason."""
    since_utc = None if since is None else since.replace(tzinfo=UTC)

    def show(client: "Bucatini") -> None:
        if fingerprint is not None:
            jobs = client.failures.jobs(fingerprint, since=since_utc, limit=limit)
            print_jobs(list(islice(jobs, limit)), as_json=as_json)
            return
        found = client.failures.groups(since=since_utc, limit=limit)
        columns = ("fingerprint", "kind", "count", "last", "problem")
        print_models(found.groups, columns, _row, as_json=as_json, numbers=("count",))
        if not found.complete and not as_json:
            print_note("There are more groups: ask for a later --since or a higher --limit.")

    run(show)


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
    chosen = {"state": state, "kind": kind, "queue": queue, "problem": problem, "fingerprint": fingerprint}
    bounds = {"since": since, "until": until, "limit": limit, "per_second": per_second}
    filters = {name: value for name, value in {**chosen, **bounds}.items() if value is not None}

    def replay(client: "Bucatini") -> None:
        if job_id is None:
            _replay_many(client, filters, json_file, dry_run=dry_run, as_json=as_json)
        else:
            others = {**filters, "dry_run": True} if dry_run else filters
            _replay_one(client, job_id, json_file, others, as_json=as_json)

    run(replay)


def _replay_one(
    client: "Bucatini", job_id: UUID, json_file: str | None, filters: Mapping[str, object], *, as_json: bool
) -> None:
    from producers.cli.command_input import Given, NotACommand, command_from

    if filters:
        raise NotACommand(f"{', '.join(sorted(filters))}: a job's own id is filter enough")
    command = None if json_file is None else command_from(client.jobs.read(job_id).kind, Given(json_file))
    job = client.jobs.replay(job_id, command)
    print_model(job, f"job {job.id} is {job.state}", as_json=as_json)


def _replay_many(
    client: "Bucatini", filters: Mapping[str, Any], json_file: str | None, *, dry_run: bool, as_json: bool
) -> None:
    from producers.cli.command_input import NotACommand

    if json_file is not None:
        raise NotACommand("--command is for one job: give its id")
    request = _request(filters)
    if dry_run:
        count = client.failures.count(request)
        line = f"{count.count} jobs would be replayed" + ("" if count.counted_all else ", or more")
        print_model(count, line, as_json=as_json)
    else:
        replay = client.failures.replay(request)
        line = f"replay {replay.id} is under way; GET /api/replays/{replay.id} tells how far it is"
        print_model(replay, line, as_json=as_json)


def _request(filters: Mapping[str, Any]) -> "ReplayFailures":
    from pydantic import ValidationError

    from producers.cli.command_input import NotACommand
    from schemas.failures import ReplayFailures

    times = {name: value.replace(tzinfo=UTC) for name, value in filters.items() if isinstance(value, datetime)}
    try:
        return ReplayFailures.model_validate({**filters, **times})
    except ValidationError as error:
        first = error.errors()[0]
        raise NotACommand(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None


def _row(group: "FailureGroup") -> tuple[str, ...]:
    count = f"{group.count}" if group.counted_all else f"{group.count}+"
    problem = f"{group.title}: {group.detail}" if group.detail else group.title
    return (group.fingerprint, group.kind, count, f"{group.last_at:%m-%d %H:%M:%S}", problem)
