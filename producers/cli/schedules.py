"""`bucatini schedules`: commands that are submitted again and again."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.text import Text

from producers.cli.ids import id_of
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View, WatchOption, coloured
from producers.cli.submit import CommandFile, Fields, KindArgument, TextFile
from producers.cli.table import Column
from schemas.schedules import CatchUp, Overlap, Schedule, ScheduleDefinition, ScheduleSummary, Upcoming

if TYPE_CHECKING:
    from producers.cli.command_input import Given
    from producers.client import Bucatini

app = command_group("Make, see, pause and run schedules.")

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id, or the first characters of it.")]

SHOWN_SLOTS = 5


@app.command("list")
def list_schedules(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List schedules, the newest first."""
    show(lambda client: Rows(list(client.schedules.list()), COLUMNS, "no schedules"), output, watch=watch)


@app.command("create")
def create_schedule(
    name: Annotated[str, typer.Argument(help="Its own among your schedules.")],
    cron: Annotated[
        str,
        typer.Argument(help="Five fields, such as '30 2 * * MON-FRI', or @hourly, @daily, @weekly, @monthly, @yearly."),
    ],
    kind: KindArgument,
    timezone: Annotated[str, typer.Option(help="Whose clock is meant, such as Europe/Berlin.")] = "UTC",
    command_file: CommandFile = None,
    text_file: TextFile = None,
    fields: Fields = None,
    overlap: Annotated[Overlap, typer.Option(help="While its last job still runs.")] = Overlap.SKIP,
    catch_up: Annotated[CatchUp, typer.Option(help="Which missed slots to make up for.")] = CatchUp.LAST,
    concurrency_key: Annotated[str | None, typer.Option(help="Jobs that are limited together.")] = None,
    concurrency_limit: Annotated[int | None, typer.Option(min=1, help="So many of them run at a time.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a schedule and print its id. Repeating it is safe."""
    from producers.cli.command_input import Given

    given = Given(command_file, text_file, None, tuple(fields or ()))
    timing = {"name": name, "cron": cron, "timezone": timezone, "overlap": overlap, "catch_up": catch_up}
    cap = {"concurrency_key": concurrency_key, "concurrency_limit": concurrency_limit}
    options = {**timing, **{option: value for option, value in cap.items() if value is not None}}

    def created(client: "Bucatini") -> View:
        schedule = client.schedules.create(_definition(kind, given, options))
        return One(schedule, [str(schedule.id)])

    show(created, output)


@app.command("show")
def show_schedule(schedule: ScheduleId, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Show one schedule and its next slots."""

    def shown(client: "Bucatini") -> View:
        found = client.schedules.get(_id(client, schedule))
        slots = client.schedules.upcoming(found.id, SHOWN_SLOTS) if output is Output.TABLE else ()
        return One(found, _lines(found, slots))

    show(shown, output, watch=watch)


@app.command("upcoming")
def show_upcoming(
    schedule: ScheduleId,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print when it would fire next, were it not paused."""

    def shown(client: "Bucatini") -> View:
        slots = client.schedules.upcoming(_id(client, schedule), count)
        return One(Upcoming(slots=slots), [slot.isoformat() for slot in slots])

    show(shown, output)


@app.command("pause")
def pause_schedule(schedule: ScheduleId, output: OutputOption = Output.TABLE) -> None:
    """Make no jobs until it is resumed."""

    def paused(client: "Bucatini") -> View:
        found = client.schedules.pause(_id(client, schedule))
        return One(found, [f"{found.name} is paused"])

    show(paused, output)


@app.command("resume")
def resume_schedule(schedule: ScheduleId, output: OutputOption = Output.TABLE) -> None:
    """Go on with the first slot after now."""

    def resumed(client: "Bucatini") -> View:
        found = client.schedules.resume(_id(client, schedule))
        return One(found, [f"{found.name} fires next at {_time(found.next_at)}"])

    show(resumed, output)


@app.command("run")
def run_schedule(schedule: ScheduleId, output: OutputOption = Output.TABLE) -> None:
    """Make a job of it at once, and print the job's id."""

    def made(client: "Bucatini") -> View:
        job = client.schedules.run(_id(client, schedule))
        return One(job, [str(job.id)])

    show(made, output)


@app.command("delete")
def delete_schedule(schedule: ScheduleId, output: OutputOption = Output.TABLE) -> None:
    """Delete it. The jobs it has made go on."""

    def deleted(client: "Bucatini") -> View:
        schedule_id = _id(client, schedule)
        client.schedules.delete(schedule_id)
        return One({"id": str(schedule_id)}, [f"schedule {schedule_id} is deleted"])

    show(deleted, output)


def _id(client: "Bucatini", typed: str) -> UUID:
    return id_of(typed, ((one.id, one.name) for one in client.schedules.list()), "schedule")


def _definition(kind: str, given: "Given", options: Mapping[str, object]) -> ScheduleDefinition:
    from pydantic import ValidationError

    from producers.cli.command_input import command_from
    from producers.cli.flaws import flaws_of

    command = command_from(kind, given)
    fields = command.model_dump(mode="json", exclude_unset=True)
    try:
        return ScheduleDefinition.model_validate({**options, "kind": command.kind, "command": fields})
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "schedule")) from None


def _next(schedule: ScheduleSummary) -> Text | str:
    return coloured("paused", "yellow") if schedule.paused_at else _time(schedule.next_at)


COLUMNS = (
    Column[ScheduleSummary]("id", lambda schedule: str(schedule.id)),
    Column[ScheduleSummary]("next", _next),
    Column[ScheduleSummary]("name", lambda schedule: schedule.name, prose=True),
    Column[ScheduleSummary]("cron", lambda schedule: schedule.cron, prose=True),
    Column[ScheduleSummary]("zone", lambda schedule: schedule.timezone, prose=True),
    Column[ScheduleSummary]("kind", lambda schedule: schedule.kind, prose=True),
)


def _lines(schedule: Schedule, slots: tuple[datetime, ...]) -> list[Text | str]:
    paused = f" {schedule.paused_because}" if schedule.paused_because else ""
    return [
        coloured(f"{schedule.id}  {schedule.name}", "bold"),
        f"{schedule.kind} at {schedule.cron} {schedule.timezone}; overlap {schedule.overlap}, catch up {schedule.catch_up}",
        *([coloured(f"paused since {_time(schedule.paused_at)}{paused}", "yellow")] if schedule.paused_at else []),
        *([f"last fired for {_time(schedule.last_at)}: job {schedule.last_job_id}"] if schedule.last_at else []),
        *(f"next {_time(slot)}" for slot in slots),
    ]


def _time(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
