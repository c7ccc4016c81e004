"""When schedules fire: through the changes of the clock, after outages, and while their last job still runs."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from producers.dispatcher.schedules import Decision, decide, slots_after, upcoming
from schemas.schedules import CatchUp, Overlap, ScheduleDefinition, ScheduleSummary

BERLIN = "Europe/Berlin"
NINE = datetime(2027, 1, 4, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_time_that_the_clock_skips_in_spring_fires_right_after_the_gap() -> None:
    slots = upcoming("30 2 * * *", BERLIN, _at("2027-03-27T12:00Z"), 2)

    assert slots == (_at("2027-03-28T01:00Z"), _at("2027-03-29T00:30Z")), "03:00 CEST, then 02:30 CEST"


def test_a_time_that_comes_twice_in_autumn_fires_once() -> None:
    slots = upcoming("30 2 * * *", BERLIN, _at("2027-10-30T12:00Z"), 2)

    assert slots == (_at("2027-10-31T00:30Z"), _at("2027-11-01T01:30Z")), "02:30 CEST, then 02:30 CET"


def test_a_check_between_the_two_passes_of_the_hour_finds_no_second_slot() -> None:
    for minute in range(31, 90):
        after = _at("2027-10-31T00:00Z") + timedelta(minutes=minute)
        assert upcoming("30 2 * * *", BERLIN, after, 1) == (_at("2027-11-01T01:30Z"),)


def test_every_half_hour_goes_by_elapsed_time_through_both_changes() -> None:
    for day in ("2027-03-28T00:00Z", "2027-10-31T00:00Z"):
        slots = upcoming("*/30 * * * *", BERLIN, _at(day), 8)
        assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(minutes=30)}


@given(
    st.datetimes(datetime(2027, 1, 1), datetime(2028, 12, 31)),  # noqa: DTZ001  # made aware below
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "0,30 1-3 * * *", "15 */2 * * SUN"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_slots_only_move_forward_wherever_one_begins(moment: datetime, cron: str, timezone: str) -> None:
    after = moment.replace(tzinfo=UTC)
    slots = upcoming(cron, timezone, after, 5)

    assert slots[0] > after
    assert list(slots) == sorted(set(slots))
    assert upcoming(cron, timezone, slots[0], 4) == slots[1:], "it makes no difference from where they are counted"


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [(CatchUp.NONE, []), (CatchUp.LAST, [12]), (CatchUp.ALL, [10, 11, 12])],
)
def test_an_outage_of_three_hours_is_made_up_for_as_the_rule_says(catch_up: CatchUp, fired: list[int]) -> None:
    schedule = _schedule(catch_up=catch_up, overlap=Overlap.QUEUE, next_at=NINE + HOUR)
    back = NINE + 3.5 * HOUR

    slots, schedule = _all_fired(schedule, back)

    assert [slot.hour for slot in slots] == fired
    assert schedule.next_at == NINE + 4 * HOUR


def test_a_slot_that_is_half_a_minute_late_is_on_time_for_every_rule() -> None:
    for catch_up in CatchUp:
        decision = decide(_schedule(catch_up=catch_up), NINE + timedelta(seconds=30), busy=False)
        assert decision.fire == NINE


def test_what_lies_before_the_window_is_never_made_up_for() -> None:
    schedule = _schedule(catch_up=CatchUp.ALL, overlap=Overlap.QUEUE, catch_up_window_seconds=2 * 3_600)

    slots, _ = _all_fired(schedule, NINE + 5.5 * HOUR)

    assert [slot.hour for slot in slots] == [13, 14]


def test_a_years_outage_of_a_schedule_that_fires_every_minute_is_decided_in_no_time() -> None:
    schedule = _schedule(cron="* * * * *", catch_up=CatchUp.ALL, overlap=Overlap.QUEUE, catch_up_most=100)
    began = time.process_time()

    decision = decide(schedule, NINE + timedelta(days=365), busy=False)

    assert len(decision.held) == 99
    assert time.process_time() - began < 2


def test_while_its_last_job_runs_a_slot_does_what_the_rule_says() -> None:
    now, following = NINE, NINE + HOUR

    assert decide(_schedule(overlap=Overlap.SKIP), now, busy=True) == Decision(None, False, (), following)
    assert decide(_schedule(overlap=Overlap.QUEUE), now, busy=True) == Decision(None, False, (NINE,), following)
    assert decide(_schedule(overlap=Overlap.CANCEL_RUNNING), now, busy=True) == Decision(NINE, True, (), following)
    for overlap in Overlap:
        assert decide(_schedule(overlap=overlap), now, busy=False) == Decision(NINE, False, (), following)


def test_queued_slots_fire_one_by_one_in_their_order_and_the_oldest_give_way() -> None:
    schedule = _schedule(overlap=Overlap.QUEUE, catch_up_most=3)
    for number in range(5):
        decision = decide(schedule, NINE + number * HOUR, busy=True)
        schedule = _moved(schedule, decision)
    assert [slot.hour for slot in schedule.held] == [11, 12, 13]

    slots, schedule = _all_fired(schedule, NINE + 4.5 * HOUR)

    assert [slot.hour for slot in slots] == [11, 12, 13]
    assert schedule.held == ()


def test_nothing_is_due_before_its_time() -> None:
    assert decide(_schedule(), NINE - timedelta(seconds=1), busy=False) == Decision(None, False, (), NINE)


@pytest.mark.parametrize(
    "cron",
    ["* * * *", "0 0 * * * *", "@reboot", "60 * * * *", "* * * * MOON", "0 0 30 2 *", "*/0 * * * *", "1-  * * * *"],
)
def test_what_cant_fire_is_refused_with_the_reason(cron: str) -> None:
    with pytest.raises(ValidationError, match=r"must have five fields|isn't a cron expression|nickname"):
        _definition(cron=cron)


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "../../etc/passwd", "Europe", "", "CEST-1"])
def test_an_unknown_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(ValidationError, match="time zone of the IANA database"):
        _definition(timezone=timezone)


@given(st.text(alphabet="0123456789*/,-#LW SUNMOJAFE", min_size=9, max_size=60))
def test_whatever_is_typed_as_cron_is_taken_or_refused_quickly(cron: str) -> None:
    try:
        definition = _definition(cron=cron)
    except ValidationError:
        return
    assert next(slots_after(definition.cron, BERLIN, NINE), None) is not None


def _definition(**changes: Any) -> ScheduleDefinition:
    fields = {"name": "nightly", "cron": "0 * * * *", "kind": "keys.rotate", "command": {}, **changes}
    return ScheduleDefinition.model_validate(fields)


def _schedule(**changes: Any) -> ScheduleSummary:
    fields = {
        **_definition().model_dump(exclude={"command"}),
        "id": UUID(int=1),
        "created_at": NINE,
        "updated_at": NINE,
        "next_at": NINE,
        **changes,
    }
    return ScheduleSummary.model_validate(fields)


def _moved(schedule: ScheduleSummary, decision: Decision) -> ScheduleSummary:
    return schedule.model_copy(update={"next_at": decision.next_at, "held": decision.held})


def _all_fired(schedule: ScheduleSummary, now: datetime) -> tuple[list[datetime], ScheduleSummary]:
    """What fires when each job ends before the next look."""
    fired = []
    while (decision := decide(schedule, now, busy=False)).fire is not None:
        fired.append(decision.fire)
        schedule = _moved(schedule, decision)
    return fired, _moved(schedule, decision)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
