"""Timestamps on the wire: RFC 3339 with a time zone."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", re.ASCII)


def looks_like_time(text: str) -> bool:
    """Whether the text has the form of an RFC 3339 time; it may still be invalid."""
    return _TIME.match(text) is not None


def _written_as_time(text: object) -> object:
    # pydantic would also accept a number of seconds.
    if isinstance(text, str) and not looks_like_time(text):
        raise ValueError("must be a time as RFC 3339 writes it, such as 2027-01-31T12:00:00Z")
    return text


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("must lie between the years 1970 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written_as_time), AfterValidator(_in_range)]
