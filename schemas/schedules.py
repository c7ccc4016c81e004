"""Commands for later, again and again: when, in which time zone, and what to do when one is late or still runs."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from schemas.jobs import ConcurrencyKey, ConcurrencyLimit, Priority
from schemas.model import Model

FIELDS: Final = {"minute": 60, "hour": 24, "day of month": 31, "month": 12, "day of week": 7}
"""What a cron expression has, in its order, and how many values each can take."""
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
"""Listed among the zones of a machine, and another time on the next one, or none at all."""
_NOON = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Overlap(StrEnum):
    """What a slot does that comes while the job of the slot before it hasn't ended."""

    SKIP = "skip"
    """Nothing."""
    QUEUE = "queue"
    """Its job is made once that one has ended. At most `catch_up_most` slots wait so; the oldest give way."""
    CANCEL_RUNNING = "cancel_running"
    """That job is cancelled, and this slot's made."""


class CatchUp(StrEnum):
    """What is done about slots that passed while no dispatcher ran."""

    NONE = "none"
    """Nothing. A slot up to a minute late still counts as on time."""
    LAST = "last"
    """The newest of them fires."""
    ALL = "all"
    """All of them, at most `catch_up_most` of the newest; one job at a time only with the overlap `queue`, since
    otherwise they would overlap each other and the newest alone fires."""


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - NO_PLACE


def _is_zone(name: str) -> str:
    if name not in _zones():
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
    try:
        next(CronSim(text, _NOON))
    except CronSimError as error:
        raise ValueError(f"isn't a cron expression: {error}") from None
    except StopIteration:
        raise ValueError("names no day that ever comes") from None
    return text


def _spelled_out(nickname: str) -> str:
    if nickname.lower() not in NICKNAMES:
        raise ValueError(f"isn't a nickname that is known: {', '.join(NICKNAMES)}")
    return NICKNAMES[nickname.lower()]


def _check_steps(field: str, name: str, size: int) -> None:
    """cron takes a step that is longer than its field for one that never comes, and fires on the first value alone."""
    for part in field.split(","):
        _, slash, step = part.partition("/")
        if slash and step.isascii() and step.isdigit() and int(step[:9]) > size:
            raise ValueError(f"steps by {step[:9]} in a field of {size} values ({name}): name the values it shall have")


CronText = Annotated[str, Field(min_length=1, max_length=100, examples=["30 2 * * MON-FRI"]), AfterValidator(_is_cron)]
"""A nickname is kept as the five fields it stands for."""
Zone = Annotated[str, Field(max_length=60, examples=["Europe/Berlin"]), AfterValidator(_is_zone)]


class ScheduleTiming(Model):
    """When a schedule fires."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["nightly rotation"])]
    """Its own among all of the tenant's."""
    cron: CronText
    timezone: Zone = "UTC"
    """Whose clock `cron` means. A time that the clock skips in spring fires right after; one that comes twice in autumn
    fires once."""
    kind: Annotated[str, Field(max_length=100, examples=["keys.rotate"])]
    priority: Priority = 5
    """9 goes first."""
    deadline_seconds: Annotated[int, Field(ge=1, le=2_592_000)] | None = None
    """How long after it was made no attempt at a job begins any more."""
    concurrency_key: ConcurrencyKey | None = None
    """Jobs that are limited together, such as those of one customer of yours. Needs concurrency_limit."""
    concurrency_limit: ConcurrencyLimit | None = None
    """Of your jobs with that key, at most so many are under way at a time; the others wait."""
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    catch_up_most: Annotated[int, Field(ge=1, le=100)] = 10
    catch_up_window_seconds: Annotated[int, Field(ge=60, le=604_800)] = 86_400
    """Slots that passed longer ago are never made up for."""


class ScheduleDefinition(ScheduleTiming):
    command: dict[str, Any]
    """The command's fields, as its own address takes them."""


class ScheduleSummary(ScheduleTiming):
    """A schedule as it stands now, without its command."""

    id: UUID
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None = None
    paused_because: str | None = None
    """Why a dispatcher paused it; not set when its owner did."""
    next_at: datetime | None = None
    """Its next slot; none while it is paused."""
    held: tuple[datetime, ...] = ()
    """Slots whose jobs wait for the one before them to end."""
    last_at: datetime | None = None
    """The last slot that fired."""
    last_job_id: UUID | None = None


class Schedule(ScheduleSummary):
    """A schedule as it stands now."""

    command: dict[str, Any]

    def definition(self) -> ScheduleDefinition:
        """What it was made of, to be changed and put back."""
        return ScheduleDefinition.model_validate(self.model_dump(include=set(ScheduleDefinition.model_fields)))


class SchedulePage(Model):
    schedules: tuple[ScheduleSummary, ...]
    next_cursor: str | None = None


class Upcoming(Model):
    """When a schedule would fire next, were it not paused."""

    slots: tuple[datetime, ...]
