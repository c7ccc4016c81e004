"""`bucatini failures`: what failed and why."""

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ages import age
from producers.cli.ids import fingerprint_of
from producers.cli.ingress import show
from producers.cli.job_views import JOB_COLUMNS, problem_text
from producers.cli.lazy_group import command_group
from producers.cli.output import Output, OutputOption, Rows, View, WatchOption
from producers.cli.table import Column
from schemas.failures import FailureGroup

if TYPE_CHECKING:
    from producers.client import Bucatini

app = command_group()

COLUMNS = (
    Column[FailureGroup]("fingerprint", lambda group: group.fingerprint),
    Column[FailureGroup]("kind", lambda group: group.kind),
    Column[FailureGroup]("count", lambda group: f"{group.count}{'' if group.counted_all else '+'}", right=True),
    Column[FailureGroup]("last", lambda group: age(group.last_at), right=True),
    Column[FailureGroup]("problem", problem_text, prose=True),
)


@app.command()
def failures(
    fingerprint: Annotated[str, typer.Argument(help="Show the jobs of this group; its beginning will do.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Since this time (UTC); a week ago if not given.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at the most.")] = 20,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """Show what failed and why, grouped by reason."""
    since_utc = None if since is None else since.replace(tzinfo=UTC)

    def shown(client: "Bucatini") -> View:
        if fingerprint:
            jobs = client.failures.jobs(fingerprint_of(client, fingerprint), since=since_utc, limit=limit)
            return Rows(list(islice(jobs, limit)), JOB_COLUMNS, "no jobs of this group have failed since then")
        found = client.failures.groups(since=since_utc, limit=limit)
        note = "" if found.complete else "There are more groups: ask for a later --since or a higher --limit."
        return Rows(found.groups, COLUMNS, "no failures", note)

    show(shown, output, watch=watch)
