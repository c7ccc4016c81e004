"""Schedules: a cron expression with a time zone, and policies for overlapping and missed slots."""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from schemas.jobs import ConcurrencyKey, ConcurrencyLimit, Priority
from schemas.model import Model
from schemas.server_checks import check_cron, known_zones

FIELDS: Final = {"minute": 60, "hour": 24, "day of month": 31, "month": 12, "day of week": 7}
"""The fields of a cron expression in order, with the number of values of each."""
NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""As crontab(5) has them."""
NO_PLACE: Final = frozenset({"localtime", "Factory"})
"""Listed as time zones, but their meaning depends on the machine."""


class Overlap(StrEnum):
    """What happens at a slot while the job of the previous slot hasn't ended."""

    SKIP = "skip"
    """The slot is skipped."""
    QUEUE = "queue"
    """Its job is submitted once that one has ended. At most `catch_up_most` slots wait; the oldest are dropped."""
    CANCEL_RUNNING = "cancel_running"
    """That job is cancelled and this slot's job is submitted."""


class CatchUp(StrEnum):
    """What happens with slots that were missed while no dispatcher ran."""

    NONE = "none"
    """They are dropped. A slot up to a minute late still counts as on time."""
    LAST = "last"
    """Only the newest fires."""
    ALL = "all"
    """All fire, up to `catch_up_most` of the newest. Needs the overlap policy `queue`: with any other they would overlap each
    other, so only the newest fires."""


@cache
def _zones() -> frozenset[str]:
    return known_zones() - NO_PLACE


def _is_zone(name: str) -> str:
    if _zones() and name not in _zones():
        meant = next((one for one in _zones() if one.casefold() == name.casefold()), None)
        hint = "such as Europe/Berlin" if meant is None else f"and those have capitals: {meant}"
        raise ValueError(f"must be a time zone of the IANA database, {hint}")
    return name


def _is_cron(text: str) -> str:
    if text.startswith("@"):
        return _spelled_out(text)
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"must have five fields: {', '.join(FIELDS)}; or be one of {', '.join(NICKNAMES)}")
    for field, (name, size) in zip(fields, FIELDS.items(), strict=True):
        _check_steps(field, name, size)
    check_cron(text)
    return text


def _spelled_out(nickname: str) -> str:
    if nickname.lower() not in NICKNAMES:
        raise ValueError(f"isn't a nickname that is known: {', '.join(NICKNAMES)}")
    return NICKNAMES[nickname.lower()]


def _check_steps(field: str, name: str, size: int) -> None:
    """Rejects a step longer than its field: cron would silently fire on the first value only."""
    for part in field.split(","):
        _, slash, step = part.partition("/")
        if slash and step.isascii() and step.isdigit() and int(step[:9]) > size:
            raise ValueError(f"steps by {step[:9]} in a field of {size} values ({name}): name the values it shall have")


CronText = Annotated[str, Field(min_length=1, max_length=100, examples=["30 2 * * MON-FRI"]), AfterValidator(_is_cron)]
"""A cron expression. A nickname such as `@daily` is stored as its five fields."""
Zone = Annotated[str, Field(max_length=60, examples=["Europe/Berlin"]), AfterValidator(_is_zone)]


class ScheduleTiming(Model):
    """When a schedule fires."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["nightly rotation"])]
    """Unique within the tenant."""
    cron: CronText
    timezone: Zone = "UTC"
    """The time zone of `cron`. A time skipped by daylight saving fires right after the change; a repeated one fires
    once."""
    kind: Annotated[str, Field(max_length=100, examples=["keys.rotate"])]
    priority: Priority = 5
    """9 is the highest."""
    deadline_seconds: Annotated[int, Field(ge=1, le=2_592_000)] | None = None
    """Deadline of each job, in seconds after it is submitted: no attempt begins later."""
    concurrency_key: ConcurrencyKey | None = None
    """Jobs with the same key share a concurrency limit, such as those of one customer. Needs concurrency_limit."""
    concurrency_limit: ConcurrencyLimit | None = None
    """The most jobs with that key in flight at a time; the others wait."""
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    catch_up_most: Annotated[int, Field(ge=1, le=100)] = 10
    catch_up_window_seconds: Annotated[int, Field(ge=60, le=604_800)] = 86_400
    """Slots missed longer ago than this are never caught up."""


class ScheduleDefinition(ScheduleTiming):
    command: dict[str, Any]
    """The command's fields, as its own endpoint takes them."""


class ScheduleSummary(ScheduleTiming):
    """The current state of a schedule, without its command."""

    id: UUID
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None = None
    paused_because: str | None = None
    """Why the dispatcher paused it; None when its owner did."""
    next_at: datetime | None = None
    """Its next slot; None while it is paused."""
    held: tuple[datetime, ...] = ()
    """Slots that wait for the previous slot's job to end."""
    last_at: datetime | None = None
    """The last slot that fired."""
    last_job_id: UUID | None = None


class Schedule(ScheduleSummary):
    """The current state of a schedule."""

    command: dict[str, Any]

    def definition(self) -> ScheduleDefinition:
        """The part that a client defines, to be edited and sent back."""
        return ScheduleDefinition.model_validate(self.model_dump(include=set(ScheduleDefinition.model_fields)))


class SchedulePage(Model):
    schedules: tuple[ScheduleSummary, ...]
    next_cursor: str | None = None


class Upcoming(Model):
    """The next slots of a schedule, as if it weren't paused."""

    slots: tuple[datetime, ...]
