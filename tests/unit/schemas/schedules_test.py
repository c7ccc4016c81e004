"""Validation of a schedule's cron expression and time zone, and its error messages."""

import pytest
from pydantic import ValidationError

from schemas.schedules import ScheduleDefinition


@pytest.mark.parametrize(
    ("nickname", "cron"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_the_usual_nicknames_are_kept_as_what_they_stand_for(nickname: str, cron: str) -> None:
    assert _timed(cron=nickname).cron == cron


@pytest.mark.parametrize(
    "cron", ["*/60 * * * *", "0 */24 * * *", "0 0 1 */12 *", "1,31 0-12/2 L * MON-FRI", "5/15 * * * *"]
)
def test_steps_as_long_as_their_field_are_fine(cron: str) -> None:
    assert _timed(cron=cron).cron == cron


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("*/61 * * * *", "steps by 61 in a field of 60 values (minute)"),
        ("5,10-20/70 * * * *", "steps by 70"),
        ("0 */25 * * *", "24 values (hour)"),
        ("0 0 */32 * *", "31 values (day of month)"),
        ("0 0 1 */13 *", "12 values (month)"),
        ("0 0 * * */8", "7 values (day of week)"),
        ("*/99999999999999 * * * *", "steps by 999999999"),
        ("@reboot", "isn't a nickname that is known: @hourly, @daily"),
        ("daily", "must have five fields: minute, hour, day of month, month, day of week; or be one of @hourly"),
        ("0 0 * * * *", "must have five fields"),
        ("0 0 30 2 *", "Bad day-of-month"),
    ],
)
def test_an_expression_that_would_not_do_what_it_says_is_refused(cron: str, reason: str) -> None:
    with pytest.raises(ValidationError) as raised:
        _timed(cron=cron)

    assert reason in raised.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ("europe/berlin", "and those have capitals: Europe/Berlin"),
        ("utc", "and those have capitals: UTC"),
        ("localtime", "such as Europe/Berlin"),
        ("Factory", "such as Europe/Berlin"),
        ("Mars/Olympus", "such as Europe/Berlin"),
        ("../../etc/passwd", "such as Europe/Berlin"),
    ],
)
def test_only_zones_that_mean_the_same_everywhere_are_taken(zone: str, reason: str) -> None:
    with pytest.raises(ValidationError) as raised:
        _timed(timezone=zone)

    assert reason in raised.value.errors()[0]["msg"]


def _timed(*, cron: str = "@daily", timezone: str = "UTC") -> ScheduleDefinition:
    return ScheduleDefinition(name="n", cron=cron, timezone=timezone, kind="keys.rotate", command={})
