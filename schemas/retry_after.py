"""`Retry-After` (RFC 9110, section 10.2.3), whoever sends it to us."""

from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_DIGITS = 9


def asked_seconds(header: str, now: datetime) -> float | None:
    """How long it asks to wait, never below 0; None for what isn't seconds or a date with its zone, however odd it is.

    `now` is aware. Nine digits are read at most: 31 years."""
    given = header.strip()
    if given.isascii() and given.isdigit():
        return float(given[:LONGEST_DIGITS])
    try:
        return max(0.0, (parsedate_to_datetime(given) - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
