"""`bucatini schedules`: commands that are submitted again and again."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from producers.cli.output import cell, coloured, print_json, print_line, print_model, print_models, run

if TYPE_CHECKING:
    from rich.text import Text

    from producers.cli.command_input import Given
    from producers.client import Bucatini
    from schemas.schedules import Schedule, ScheduleDefinition, ScheduleSummary

schedules_app = typer.Typer(name="schedules", help="Make, see, pause and run schedules.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ScheduleId = Annotated[UUID, typer.Argument(metavar="ID", help="The schedule's id.")]

SHOWN_SLOTS = 5


@schedules_app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List schedules, the newest first."""
    columns = ("id", "name", "cron", "zone", "kind", "next")
    run(lambda client: print_models(list(client.schedules.list()), columns, _row, as_json=as_json))


@schedules_app.command("create")
def create_schedule(
    name: Annotated[str, typer.Argument(help="Its own among your schedules.")],
    cron: Annotated[
        str,
        typer.Argument(help="Five fields, such as '30 2 * * MON-FRI', or @hourly, @daily, @weekly, @monthly, @yearly."),
    ],
    kind: Annotated[str, typer.Argument(help="Such as keys.rotate.")],
    timezone: Annotated[str, typer.Option(help="Whose clock is meant, such as Europe/Berlin.")] = "UTC",
    json_file: Annotated[
        str | None, typer.Option("--command", metavar="FILE", help="The command's fields as JSON; - reads stdin.")
    ] = None,
    text_file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The document.")] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One more field. Repeatable.")
    ] = None,
    overlap: Annotated[str, typer.Option(help="While its last job runs: skip, queue or cancel_running.")] = "skip",
    catch_up: Annotated[str, typer.Option(help="What was missed: none, last or all.")] = "last",
    concurrency_key: Annotated[str | None, typer.Option(help="Jobs that are limited together.")] = None,
    concurrency_limit: Annotated[int | None, typer.Option(min=1, help="So many of them run at a time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a schedule and print its id. Repeating it is safe."""
    from producers.cli.command_input import Given

    given = Given(json_file, text_file, None, tuple(fields or ()))
    timing = {"name": name, "cron": cron, "timezone": timezone, "overlap": overlap, "catch_up": catch_up}
    cap = {"concurrency_key": concurrency_key, "concurrency_limit": concurrency_limit}
    options = {**timing, **{option: value for option, value in cap.items() if value is not None}}

    def create(client: "Bucatini") -> None:
        schedule = client.schedules.create(_definition(kind, given, options))
        print_model(schedule, schedule.id, as_json=as_json)

    run(create)


@schedules_app.command("show")
def show_schedule(schedule_id: ScheduleId, as_json: AsJson = False) -> None:
    """Show one schedule and its next slots."""

    def show(client: "Bucatini") -> None:
        schedule = client.schedules.get(schedule_id)
        if as_json:
            print_json(schedule.model_dump_json())
        else:
            _print_schedule(schedule, client.schedules.upcoming(schedule_id, SHOWN_SLOTS))

    run(show)


@schedules_app.command("upcoming")
def show_upcoming(
    schedule_id: ScheduleId,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
) -> None:
    """Print when it would fire next, were it not paused."""

    def show(client: "Bucatini") -> None:
        for slot in client.schedules.upcoming(schedule_id, count):
            print_line(slot.isoformat())

    run(show)


@schedules_app.command("pause")
def pause_schedule(schedule_id: ScheduleId) -> None:
    """Make no jobs until it is resumed."""
    run(lambda client: print_line(f"{client.schedules.pause(schedule_id).name} is paused"))


@schedules_app.command("resume")
def resume_schedule(schedule_id: ScheduleId) -> None:
    """Go on with the first slot after now."""

    def resume(client: "Bucatini") -> None:
        schedule = client.schedules.resume(schedule_id)
        print_line(f"{schedule.name} fires next at {_time(schedule.next_at)}")

    run(resume)


@schedules_app.command("run")
def run_schedule(schedule_id: ScheduleId) -> None:
    """Make a job of it at once, and print the job's id."""
    run(lambda client: print_line(client.schedules.run(schedule_id).id))


@schedules_app.command("delete")
def delete_schedule(schedule_id: ScheduleId) -> None:
    """Delete it. The jobs it has made go on."""
    run(lambda client: client.schedules.delete(schedule_id))


def _definition(kind: str, given: "Given", options: Mapping[str, object]) -> "ScheduleDefinition":
    from pydantic import ValidationError

    from producers.cli.command_input import NotACommand, command_from, flaws_of
    from schemas.schedules import ScheduleDefinition

    command = command_from(kind, given).model_dump(mode="json", exclude_unset=True)
    try:
        return ScheduleDefinition.model_validate({**options, "kind": kind, "command": command})
    except ValidationError as error:
        raise NotACommand(flaws_of(error, "schedule")) from None


def _row(schedule: "ScheduleSummary") -> "tuple[str | Text, ...]":
    next_slot = coloured("paused", "yellow") if schedule.paused_at else _time(schedule.next_at)
    return (str(schedule.id), schedule.name, schedule.cron, schedule.timezone, schedule.kind, next_slot)


def _print_schedule(schedule: "Schedule", slots: tuple[datetime, ...]) -> None:
    from rich.console import Console

    console = Console()
    console.print(f"[bold]{schedule.id}[/]  {cell(schedule.name)}  {cell(schedule.kind)}")
    console.print(f"{cell(schedule.cron)} {cell(schedule.timezone)}, {schedule.overlap}, catch up {schedule.catch_up}")
    if schedule.paused_at is not None:
        console.print(f"[yellow]paused[/] since {_time(schedule.paused_at)} {cell(schedule.paused_because or '')}")
    if schedule.last_at is not None:
        console.print(f"last fired for {_time(schedule.last_at)}: job {schedule.last_job_id}")
    for slot in slots:
        console.print(f"next  {_time(slot)}")


def _time(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
