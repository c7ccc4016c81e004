"""`bucatini pause`, `kill`, `resume`, `holds` and `limit`: what an operator of the system sets for all tenants.

They write to PostgreSQL and Redis directly, as the system's role: an operator has no tenant whose key the ingress would take.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from getpass import getuser
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from infrastructure import settings as settings_module
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import holds
from infrastructure.postgres.session import Connection, PostgresSession, Role
from infrastructure.postgres.tenants import limits as tenant_limits
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import FAULTS
from infrastructure.redis.pubsub import Channel, announce
from infrastructure.settings import Settings, SettingsInvalid
from producers.cli.output import EXIT_ERROR, EXIT_OK, EXIT_USAGE, print_error, print_line, print_model, print_note
from producers.dispatcher.controls import REFRESH_SECONDS
from schemas.holds import Hold, NewHold, TenantLimits

T = TypeVar("T")


def hold(
    action: str,
    queue: str | None,
    kind: str | None,
    tenant_id: UUID | None,
    argument: str | None,
    reason: str,
) -> int:
    if (queue, kind, tenant_id) == (None, None, None):
        return print_error("say what to hold: a queue, --kind or --tenant", EXIT_USAGE)
    try:
        given = None if argument is None else json.loads(argument)
        wanted = NewHold.model_validate(
            {"action": action, "queue": queue, "kind": kind, "argument": given, "reason": reason}
        )
    except ValidationError as error:
        first = error.errors()[0]
        return print_error(f"{'/'.join(map(str, first['loc']))}: {first['msg']}", EXIT_USAGE)
    except ValueError:
        return print_error('--argument must be JSON, such as \'{"title": "Lease"}\'', EXIT_USAGE)

    async def work(settings: Settings) -> int:
        made = await add_hold(settings, wanted, tenant_id)
        if made is None:
            return print_error(f"there are {holds.MAX_HOLDS} holds already; remove one first", EXIT_ERROR)
        print_line(_in_a_line(made))
        return EXIT_OK

    return _run(work)


def resume(queue: str | None, kind: str | None, tenant_id: UUID | None, hold_id: UUID | None) -> int:
    """Removes the hold with the id, or all that were made for exactly this queue, kind and tenant."""
    if (queue, kind, tenant_id, hold_id) == (None, None, None, None):
        return print_error("say what to resume: a queue, --kind, --tenant or --hold", EXIT_USAGE)

    def meant(one: Hold) -> bool:
        if hold_id is not None:
            return one.id == hold_id
        return (one.queue, one.kind, one.tenant_id) == (queue, kind, tenant_id)

    async def work(settings: Settings) -> int:
        removed = await remove_holds(settings, meant)
        for one in removed:
            print_line(f"removed: {_in_a_line(one)}")
        return EXIT_OK if removed else print_error("no such hold stands: see `bucatini holds`", EXIT_ERROR)

    return _run(work)


def show_holds(*, as_json: bool) -> int:
    async def work(settings: Settings) -> int:
        standing = await _as_system(settings, holds.listed)
        for one in standing:
            print_model(one, _in_a_line(one), as_json=as_json)
        if not standing and not as_json:
            print_line("nothing is held")
        return EXIT_OK

    return _run(work)


def limit(tenant_id: UUID, most_in_flight: int | None, weight: int) -> int:
    limits = TenantLimits(tenant_id=tenant_id, most_in_flight=most_in_flight, weight=weight)

    async def work(settings: Settings) -> int:
        capped = await set_limits(settings, limits)
        cap = "no cap" if most_in_flight is None else f"at most {most_in_flight} in flight, {capped} now wait"
        print_line(f"tenant {tenant_id}: weight {weight}, {cap}")
        return EXIT_OK

    return _run(work)


async def add_hold(settings: Settings, wanted: NewHold, tenant_id: UUID | None) -> Hold | None:
    """The hold, announced to all workers; None when there are too many."""

    async def add(connection: Connection) -> Hold | None:
        async with connection.transaction():
            return await holds.add(connection, wanted, tenant_id, f"operator {_operator()}")

    made = await _as_system(settings, add)
    await _announce(settings)
    return made


async def remove_holds(settings: Settings, meant: Callable[[Hold], bool]) -> list[Hold]:
    async def remove(connection: Connection) -> list[Hold]:
        return [one for one in await holds.listed(connection) if meant(one) and await holds.remove(connection, one.id)]

    removed = await _as_system(settings, remove)
    await _announce(settings)
    return removed


async def set_limits(settings: Settings, limits: TenantLimits) -> int:
    """How many waiting jobs the cap now holds back."""
    capped = await _as_system(settings, lambda connection: tenant_limits.set_limits(connection, limits))
    await _announce(settings)
    return capped


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


def _run(work: Callable[[Settings], Awaitable[int]]) -> int:
    async def run() -> int:
        return await work(settings_module.load())

    try:
        return asyncio.run(run())
    except SettingsInvalid as error:
        return print_error(error, EXIT_USAGE)
    except Unavailable as error:
        return print_error(error, EXIT_ERROR)


def _operator() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "unknown"  # A container's user may have no name.


def _in_a_line(one: Hold) -> str:
    what = {"queue": one.queue, "kind": one.kind, "tenant": one.tenant_id}
    which = " ".join(f"{name}={value}" for name, value in what.items() if value is not None)
    argument = "" if one.argument is None else f" argument={json.dumps(one.argument)}"
    return f"{one.id} {one.action} {which}{argument} since {one.created_at:%Y-%m-%d %H:%M:%S} by {one.created_by}: {one.reason}"
