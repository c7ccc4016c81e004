"""How long ago, and how long, in at most five characters."""

from datetime import UTC, datetime

STEPS = ((60, 1, "s"), (3_600, 60, "m"), (86_400, 3_600, "h"))
"""Below how many seconds, in what, and its letter."""


def age(since: datetime) -> str:
    """How long ago by this machine's clock; `0s` for what another machine's clock puts into the future."""
    return _coarse(max(0.0, (datetime.now(UTC) - since).total_seconds()))


def duration(began: datetime, ended: datetime | None) -> str:
    """From the beginning to the end, or until now."""
    seconds = max(0.0, ((ended or datetime.now(UTC)) - began).total_seconds())
    return f"{seconds:.1f}s" if seconds < 99.95 else _coarse(seconds)


def _coarse(seconds: float) -> str:
    for below, unit, letter in STEPS:
        if seconds < below:
            return f"{seconds // unit:.0f}{letter}"
    return f"{seconds // 86_400:.0f}d"
