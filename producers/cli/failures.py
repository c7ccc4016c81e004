"""What `bucatini failures` and `bucatini jobs replay` do: ask the ingress, print what it says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from rich.table import Table

from producers.cli.command_input import Given, NotACommand, command_from
from producers.cli.output import EXIT_OK, asking, print_jobs
from producers.cli.terminal import answer, cell, note, say_json, show_table
from producers.client import Bucatini
from schemas.failures import FailureGroups, ReplayFailures


def show_failures(fingerprint: str | None, since: datetime | None, limit: int, *, as_json: bool) -> int:
    moment = None if since is None else since.replace(tzinfo=UTC)

    def ask(client: Bucatini) -> int:
        if fingerprint is not None:
            print_jobs(
                list(islice(client.failures.jobs(fingerprint, since=moment, limit=limit), limit)), as_json=as_json
            )
            return EXIT_OK
        found = client.failures.groups(since=moment, limit=limit)
        if as_json:
            for group in found.groups:
                say_json(group.model_dump_json())
        else:
            _print_groups(found)
        return EXIT_OK

    return asking(ask)


def replay_one(job_id: UUID, json_file: str | None, filters: Mapping[str, object], *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        if filters:
            raise NotACommand(f"{', '.join(sorted(filters))}: a job's own id is filter enough")
        handle = client.job(job_id)
        command = None if json_file is None else command_from(handle.job.kind, Given(json_file))
        job = handle.replay(command)
        answer(job, f"job {job.id} is {job.state}", as_json=as_json)
        return EXIT_OK

    return asking(ask)


def replay_many(given: Mapping[str, Any], json_file: str | None, *, dry_run: bool, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        if json_file is not None:
            raise NotACommand("--command is for one job: give its id")
        wanted = _wanted(given)
        if dry_run:
            count = client.failures.count(wanted)
            said = f"{count.count} jobs would be replayed" + ("" if count.counted_all else ", or more")
            answer(count, said, as_json=as_json)
        else:
            replay = client.failures.replay(wanted)
            said = f"replay {replay.id} is under way; GET /api/replays/{replay.id} tells how far it is"
            answer(replay, said, as_json=as_json)
        return EXIT_OK

    return asking(ask)


def _wanted(given: Mapping[str, Any]) -> ReplayFailures:
    moments = {name: one.replace(tzinfo=UTC) for name, one in given.items() if isinstance(one, datetime)}
    try:
        return ReplayFailures.model_validate({**given, **moments})
    except ValidationError as error:
        first = error.errors()[0]
        raise NotACommand(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None


def _print_groups(found: FailureGroups) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("fingerprint", "kind", "count", "last", "problem"):
        table.add_column(name, justify="right" if name == "count" else "left", no_wrap=True, overflow="ellipsis")
    for group in found.groups:
        count = f"{group.count}" if group.counted_all else f"{group.count}+"
        told = cell(f"{group.title}: {group.detail}" if group.detail else group.title)
        table.add_row(group.fingerprint, cell(group.kind), count, f"{group.last_at:%m-%d %H:%M:%S}", told)
    show_table(table)
    if not found.complete:
        note("There are more groups: ask for a later --since or a higher --limit.")
