"""`bucatini ai usage`: what models were used for, and what it cost."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli.ingress import run, show
from producers.cli.output import One, Output, OutputOption, Rows, View, counted, print_text
from producers.cli.table import Column
from schemas.ai.usage import GroupBy, UsageReport, UsageRow, plain_number

if TYPE_CHECKING:
    from producers.client import Bucatini

GROUPS = {
    GroupBy.DAY: (Column[UsageRow]("day", lambda one: str(one.day)),),
    GroupBy.MODEL: (
        Column[UsageRow]("provider", lambda one: one.provider or ""),
        Column[UsageRow]("model", lambda one: one.model or ""),
    ),
    GroupBy.PROVIDER: (Column[UsageRow]("provider", lambda one: one.provider or ""),),
    GroupBy.PROMPT: (
        Column[UsageRow]("prompt", lambda one: one.prompt or ""),
        Column[UsageRow]("version", lambda one: str(one.prompt_version or ""), right=True),
    ),
    GroupBy.KIND: (Column[UsageRow]("kind", lambda one: one.kind or ""),),
    GroupBy.JOB: (Column[UsageRow]("job", lambda one: str(one.job_id or "")),),
    GroupBy.TENANT: (Column[UsageRow]("tenant", lambda one: one.tenant or ""),),
}
SUMS = (
    Column[UsageRow]("calls", lambda one: f"{one.calls:,}", right=True),
    Column[UsageRow]("cached", lambda one: f"{one.cached:,}", right=True),
    Column[UsageRow]("failed", lambda one: f"{one.failed:,}", right=True),
    Column[UsageRow]("input", lambda one: f"{one.input_tokens:,}", right=True),
    Column[UsageRow]("output", lambda one: f"{one.output_tokens:,}", right=True),
    Column[UsageRow]("cost $", lambda one: plain_number(one.cost_usd), right=True),
)
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="A day or a time, such as 2027-01-31 (UTC).")]


def show_usage(
    by: Annotated[
        str, typer.Option(help="day, model, provider, prompt, kind, job or tenant; several with commas between.")
    ] = "day",
    since: Moment = None,
    until: Moment = None,
    csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what models were used for, and what it cost. Of this month, unless told otherwise."""
    period: dict[str, Any] = {"since": _moment(since), "until": _moment(until), "by": by.split(",")}
    if csv:
        run(lambda client: print_text(client.ai.usage_csv(**period)))
    show(lambda client: _view(client, period, output), output)


def _moment(typed: str | None) -> datetime | None:
    if typed is None:
        return None
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise typer.BadParameter(f"{typed!r} is no time: write it as 2027-01-31 or 2027-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _view(client: "Bucatini", period: dict[str, Any], output: Output) -> View:
    report = client.ai.usage(**period)
    if output is Output.JSON:
        return One(report, ())
    groups = [GroupBy(name.strip()) for name in period["by"]]
    columns = {column.name: column for group in groups for column in GROUPS[group]}
    return Rows(report.rows, (*columns.values(), *SUMS), "no calls of models", note=_summary(report))


def _summary(report: UsageReport) -> str:
    total = report.total
    said = (
        f"{counted(total.calls, 'call')}, {total.cached:,} more answered without one: ${plain_number(total.cost_usd)}"
    )
    if total.unpriced:
        said += f", and {counted(total.unpriced, 'call')} whose cost nobody knows"
    return said if report.saved_percent is None else f"{said}; {report.saved_percent:g} % saved"
