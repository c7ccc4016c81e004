"""Parses `Retry-After` headers (RFC 9110, section 10.2.3)."""

from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_DIGITS = 9


def asked_seconds(header: str, now: datetime) -> float | None:
    """The seconds to wait, at least 0; None for anything but seconds or a date with a time zone.

    `now` must be timezone-aware. At most nine digits are read, which is 31 years."""
    given = header.strip()
    if given.isascii() and given.isdigit():
        return float(given[:LONGEST_DIGITS])
    try:
        return max(0.0, (parsedate_to_datetime(given) - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
