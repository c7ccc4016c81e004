"""Calendar periods as numbers."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.tantivy.calendar import first_day, period_number
from schemas.search import CalendarPeriod

DAYS = st.dates(date(1700, 1, 1), date(2200, 1, 1))
ONE_DAY = timedelta(days=1)


@pytest.mark.parametrize("period", CalendarPeriod)
@given(day=DAYS)
def test_a_period_begins_on_its_first_day_and_the_next_one_follows_it(period: CalendarPeriod, day: date) -> None:
    number = period_number(period, day)
    first, following = first_day(period, number), first_day(period, number + 1)

    assert first <= day < following
    assert period_number(period, first) == number == period_number(period, following - ONE_DAY)


@given(day=DAYS)
def test_a_week_begins_on_monday(day: date) -> None:
    assert first_day(CalendarPeriod.WEEK, period_number(CalendarPeriod.WEEK, day)).isoweekday() == 1


def test_days_are_counted_from_1970() -> None:
    assert period_number(CalendarPeriod.DAY, datetime(1970, 1, 2, tzinfo=UTC).date()) == 1
