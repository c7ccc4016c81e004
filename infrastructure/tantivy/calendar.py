"""Calendar periods as numbers, one after the other: Tantivy has no calendar of its own to count by."""

from datetime import date, timedelta
from typing import assert_never

from schemas.search import CalendarPeriod

PERIODS = tuple(CalendarPeriod)
_THURSDAY = date(1970, 1, 1).toordinal()
_SINCE_MONDAY = 3


def period_field(period: CalendarPeriod) -> str:
    return f"created_{period}"


def period_number(period: CalendarPeriod, day: date) -> int:
    """Grows by one from each period to the next."""
    match period:
        case CalendarPeriod.DAY:
            return day.toordinal() - _THURSDAY
        case CalendarPeriod.WEEK:
            return (day.toordinal() - _THURSDAY + _SINCE_MONDAY) // 7
        case CalendarPeriod.MONTH:
            return day.year * 12 + day.month - 1
        case CalendarPeriod.QUARTER:
            return day.year * 4 + (day.month - 1) // 3
        case CalendarPeriod.YEAR:
            return day.year
        case _:
            assert_never(period)


def first_day(period: CalendarPeriod, number: int) -> date:
    """Of the period with this number."""
    match period:
        case CalendarPeriod.DAY:
            return date(1970, 1, 1) + timedelta(days=number)
        case CalendarPeriod.WEEK:
            return date(1970, 1, 1) + timedelta(days=number * 7 - _SINCE_MONDAY)
        case CalendarPeriod.MONTH:
            return date(number // 12, number % 12 + 1, 1)
        case CalendarPeriod.QUARTER:
            return date(number // 4, number % 4 * 3 + 1, 1)
        case CalendarPeriod.YEAR:
            return date(number, 1, 1)
        case _:
            assert_never(period)
