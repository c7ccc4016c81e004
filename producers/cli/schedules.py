"""`bucatini schedules`: commands that are handed in again and again. Exit codes as for `bucatini jobs`."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

schedules_app = typer.Typer(name="schedules", help="Make, see, pause and run schedules.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ScheduleId = Annotated[UUID, typer.Argument(metavar="ID", help="The schedule's id.")]


@schedules_app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List schedules, the newest first."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.list_schedules(as_json=as_json))


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
    from producers.cli import schedules_actions
    from producers.cli.command_input import Given

    given = Given(json_file, text_file, None, tuple(fields or ()))
    timing = {"name": name, "cron": cron, "timezone": timezone, "overlap": overlap, "catch_up": catch_up}
    cap = {"concurrency_key": concurrency_key, "concurrency_limit": concurrency_limit}
    given_cap = {term: value for term, value in cap.items() if value is not None}
    raise typer.Exit(schedules_actions.create(kind, given, {**timing, **given_cap}, as_json=as_json))


@schedules_app.command("show")
def show_schedule(schedule_id: ScheduleId, as_json: AsJson = False) -> None:
    """Show one schedule and its next slots."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.show(schedule_id, as_json=as_json))


@schedules_app.command("upcoming")
def show_upcoming(
    schedule_id: ScheduleId,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
) -> None:
    """Print when it would fire next, were it not paused."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.upcoming(schedule_id, count))


@schedules_app.command("pause")
def pause_schedule(schedule_id: ScheduleId) -> None:
    """Make no jobs until it is resumed."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.pause(schedule_id))


@schedules_app.command("resume")
def resume_schedule(schedule_id: ScheduleId) -> None:
    """Go on with the first slot after now."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.resume(schedule_id))


@schedules_app.command("run")
def run_schedule(schedule_id: ScheduleId) -> None:
    """Make a job of it at once, and print the job's id."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.run(schedule_id))


@schedules_app.command("delete")
def delete_schedule(schedule_id: ScheduleId) -> None:
    """Delete it. The jobs it has made go on."""
    from producers.cli import schedules_actions

    raise typer.Exit(schedules_actions.delete(schedule_id))
