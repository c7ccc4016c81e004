"""`bucatini pause`, `kill`, `resume` and `holds`: what an operator of the system sets for all tenants.

They write to PostgreSQL and Redis directly, as the system's role: so they work while the ingress is down.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from getpass import getuser
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError

from infrastructure import settings as settings_module
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import holds
from infrastructure.postgres.session import Connection, PostgresSession, Role
from infrastructure.postgres.tenants.lookup import tenants_like
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import FAULTS
from infrastructure.redis.pubsub import Channel, announce
from infrastructure.settings import Settings, SettingsInvalid
from kinds.declaration import JobInvalid
from kinds.loading import load
from producers.cli.ages import age
from producers.cli.completion import known_kinds, known_queues
from producers.cli.ids import id_of, without_dots
from producers.cli.ingress import WrongUsage
from producers.cli.lazy_group import command_group
from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_USAGE,
    One,
    Output,
    OutputOption,
    Rows,
    View,
    counted,
    print_error,
    print_note,
    print_view,
)
from producers.cli.table import Column
from producers.dispatcher.controls import REFRESH_SECONDS
from schemas.catalogue import queues
from schemas.holds import Hold, HoldAction, NewHold

T = TypeVar("T")


app = command_group()

QueueName = Annotated[str | None, typer.Argument(help="A queue, such as ai.", autocompletion=known_queues)]
Kind = Annotated[str | None, typer.Option(help="Only jobs of this kind.", autocompletion=known_kinds)]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's jobs: its name, its id, or the id's beginning.")]
ArgumentPart = Annotated[
    str | None, typer.Option(metavar="JSON", help="Only commands that have these fields with these values.")
]
Reason = Annotated[str, typer.Option(help="Shown to whoever asks why a job waits.")]


@app.command()
def pause(
    reason: Reason,
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    argument: ArgumentPart = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Keep jobs from starting until `resume`."""
    _hold(_wanted(HoldAction.PAUSE, queue, kind, tenant, argument, reason), tenant, output)


@app.command()
def kill(
    reason: Reason,
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    argument: ArgumentPart = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Cancel jobs instead of starting them."""
    _hold(_wanted(HoldAction.KILL, queue, kind, tenant, argument, reason), tenant, output)


@app.command()
def resume(
    queue: QueueName = None,
    kind: Kind = None,
    tenant: Tenant = None,
    hold: Annotated[
        str | None, typer.Option(help="A hold's id, or its beginning, as `bucatini holds` shows it.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove what `pause` or `kill` set up."""

    async def work(settings: Settings) -> View:
        if (queue, kind, tenant, hold) == (None, None, None, None):
            raise WrongUsage("say what to resume: a queue, --kind, --tenant or --hold")
        tenant_id = await _tenant(settings, tenant)
        hold_id = None if hold is None else await _standing(settings, hold)

        def meant(one: Hold) -> bool:
            if hold_id is not None:
                return one.id == hold_id
            return (one.queue, one.kind, one.tenant_id) == (queue, kind, tenant_id)

        removed = await remove_holds(settings, meant)
        if not removed:
            raise NoSuchHold("no such hold stands: see `bucatini holds`")
        return Rows(removed, COLUMNS, "", note=f"{counted(len(removed), 'hold')} removed")

    _run(work, output)


@app.command("holds")
def list_holds(output: OutputOption = Output.TABLE) -> None:
    """List what is paused or killed, and why."""

    async def work(settings: Settings) -> View:
        return Rows(await _as_system(settings, holds.listed), COLUMNS, "nothing is held")

    _run(work, output)


class NoSuchHold(Exception):
    """Nothing that stands is meant. `bucatini holds` lists what does."""


def _wanted(
    action: HoldAction, queue: str | None, kind: str | None, tenant: str | None, argument: str | None, reason: str
) -> NewHold:
    if (queue, kind, tenant) == (None, None, None):
        raise typer.Exit(print_error("say what to hold: a queue, --kind or --tenant", EXIT_USAGE))
    try:
        given = None if argument is None else json.loads(argument)
        return NewHold.model_validate(
            {"action": action, "queue": queue, "kind": kind, "argument": given, "reason": reason}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.Exit(print_error(f"{'/'.join(map(str, first['loc']))}: {first['msg']}", EXIT_USAGE)) from None
    except ValueError:
        hint = '--argument must be JSON, such as \'{"title": "Lease"}\''
        raise typer.Exit(print_error(hint, EXIT_USAGE)) from None


def _hold(wanted: NewHold, tenant: str | None, output: Output) -> NoReturn:
    async def work(settings: Settings) -> View:
        if wanted.queue is not None and wanted.queue not in queues():
            load(settings)  # Only now: a package that can't be loaded keeps nobody from pausing what is ours.
        if wanted.queue is not None and wanted.queue not in queues():
            raise WrongUsage(f"there is no queue {wanted.queue!r}; known are {', '.join(queues())}")
        made = await add_hold(settings, wanted, await _tenant(settings, tenant))
        return One(
            made, [f"{_what(made)} {'is paused' if wanted.action is HoldAction.PAUSE else 'is killed'}: hold {made.id}"]
        )

    _run(work, output)


async def _tenant(settings: Settings, typed: str | None) -> UUID | None:
    """The tenant that was typed: by its name, or by what its id begins with."""
    if typed is None:
        return None
    meant = without_dots(typed)
    found = await _as_system(settings, lambda connection: tenants_like(connection, meant))
    if found and found[0][1] == meant:
        return found[0][0]
    if not found:
        raise WrongUsage(f"there is no tenant {meant}, neither by its name nor by what its id begins with")
    return id_of(meant, found, "tenant")


async def _standing(settings: Settings, typed: str) -> UUID:
    standing = await _as_system(settings, holds.listed)
    return id_of(typed, ((one.id, _what(one)) for one in standing), "hold")


def _what(one: Hold) -> str:
    what = {"queue": one.queue, "kind": one.kind, "tenant": one.tenant_id}
    which = " ".join(f"{name}={value}" for name, value in what.items() if value is not None)
    return which if one.argument is None else f"{which} argument={json.dumps(one.argument)}"


COLUMNS = (
    Column[Hold]("id", lambda one: str(one.id)),
    Column[Hold]("action", lambda one: one.action),
    Column[Hold]("age", lambda one: age(one.created_at), right=True),
    Column[Hold]("what", _what, prose=True),
    Column[Hold]("reason", lambda one: one.reason, prose=True),
    Column[Hold]("by", lambda one: one.created_by, prose=True),
)


async def add_hold(settings: Settings, wanted: NewHold, tenant_id: UUID | None) -> Hold:
    """The hold, announced to all workers. Raises QuotaExceeded when there are too many."""

    async def add(connection: Connection) -> Hold:
        async with connection.transaction():
            return await holds.add(connection, wanted, tenant_id, f"operator {_operator()}", by_operator=True)

    made = await _as_system(settings, add)
    await _announce(settings)
    return made


async def remove_holds(settings: Settings, meant: Callable[[Hold], bool]) -> list[Hold]:
    async def remove(connection: Connection) -> list[Hold]:
        return [one for one in await holds.listed(connection) if meant(one) and await holds.remove(connection, one.id)]

    removed = await _as_system(settings, remove)
    await _announce(settings)
    return removed


async def _as_system(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with PostgresSession(settings.database, Role.SYSTEM, "operator") as session:
        return await session.run(work)


async def _announce(settings: Settings) -> None:
    redis = redis_client.connect(settings.redis)
    try:
        await announce(redis, Channel.RULES, [])
    except FAULTS:
        print_note(f"Redis can't be reached: it takes effect within {REFRESH_SECONDS:.0f} s")
    finally:
        await redis.aclose()


def _run(work: Callable[[Settings], Awaitable[View]], output: Output) -> NoReturn:
    raise typer.Exit(_exit_code(work, output))


def _exit_code(work: Callable[[Settings], Awaitable[View]], output: Output) -> int:
    async def run() -> View:
        return await work(settings_module.load())

    try:
        print_view(asyncio.run(run()), output)
        return EXIT_OK
    except (SettingsInvalid, JobInvalid, WrongUsage) as error:
        return print_error(error, EXIT_USAGE)
    except (Unavailable, NoSuchHold) as error:
        return print_error(error, EXIT_ERROR)
    except QuotaExceeded as error:
        return print_error(f"{error}; remove one first", EXIT_ERROR)


def _operator() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"  # A container's user may have no name.
