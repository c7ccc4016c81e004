"""What `bucatini schedules` does: asks the ingress, prints what it says."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from producers.cli.command_input import Given, NotACommand, command_from, flaws_of
from producers.cli.output import EXIT_OK, UUID_WIDTH, asking
from producers.cli.terminal import answer, cell, say, say_json, show_table
from producers.client import Bucatini
from schemas.schedules import Schedule, ScheduleDefinition, ScheduleSummary

SHOWN_SLOTS = 5


def list_schedules(*, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        found = list(client.schedules)
        if as_json:
            for one in found:
                say_json(one.model_dump_json())
        else:
            _print_table(found)
        return EXIT_OK

    return asking(ask)


def create(kind: str, given: Given, timing: Mapping[str, object], *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        made = client.schedules.create(_definition(kind, given, timing))
        answer(made, made.id, as_json=as_json)
        return EXIT_OK

    return asking(ask)


def _definition(kind: str, given: Given, timing: Mapping[str, object]) -> ScheduleDefinition:
    command = command_from(kind, given).model_dump(mode="json", exclude_unset=True)
    try:
        return ScheduleDefinition.model_validate({**timing, "kind": kind, "command": command})
    except ValidationError as error:
        raise NotACommand(flaws_of(error, "schedule")) from None


def show(schedule_id: UUID, *, as_json: bool) -> int:
    def ask(client: Bucatini) -> int:
        schedule = client.schedules.show(schedule_id)
        if as_json:
            say_json(schedule.model_dump_json())
        else:
            _print_schedule(schedule, client.schedules.upcoming(schedule_id, SHOWN_SLOTS))
        return EXIT_OK

    return asking(ask)


def upcoming(schedule_id: UUID, count: int) -> int:
    def ask(client: Bucatini) -> int:
        for slot in client.schedules.upcoming(schedule_id, count):
            say(slot.isoformat())
        return EXIT_OK

    return asking(ask)


def pause(schedule_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        say(f"{client.schedules.pause(schedule_id).name} is paused")
        return EXIT_OK

    return asking(ask)


def resume(schedule_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        schedule = client.schedules.resume(schedule_id)
        say(f"{schedule.name} fires next at {_moment(schedule.next_at)}")
        return EXIT_OK

    return asking(ask)


def run(schedule_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        say(client.schedules.run(schedule_id).id)
        return EXIT_OK

    return asking(ask)


def delete(schedule_id: UUID) -> int:
    def ask(client: Bucatini) -> int:
        client.schedules.delete(schedule_id)
        return EXIT_OK

    return asking(ask)


def _print_table(schedules: list[ScheduleSummary]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("id", min_width=UUID_WIDTH)
    for name in ("name", "cron", "zone", "kind", "next"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for one in schedules:
        told = (one.name, one.cron, one.timezone, one.kind)
        table.add_row(str(one.id), *map(cell, told), "[yellow]paused[/]" if one.paused_at else _moment(one.next_at))
    show_table(table)


def _print_schedule(schedule: Schedule, slots: tuple[datetime, ...]) -> None:
    console = Console()
    console.print(f"[bold]{schedule.id}[/]  {cell(schedule.name)}  {cell(schedule.kind)}")
    console.print(f"{cell(schedule.cron)} {cell(schedule.timezone)}, {schedule.overlap}, catch up {schedule.catch_up}")
    if schedule.paused_at is not None:
        console.print(f"[yellow]paused[/] since {_moment(schedule.paused_at)} {cell(schedule.paused_because or '')}")
    if schedule.last_at is not None:
        console.print(f"last fired for {_moment(schedule.last_at)}: job {schedule.last_job_id}")
    for slot in slots:
        console.print(f"next  {_moment(slot)}")


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
