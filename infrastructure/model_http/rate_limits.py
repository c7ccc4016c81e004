"""What the providers' headers say of rate limits, as one value. A header that can't be read counts as absent."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from infrastructure.ports.ai.response import Allowance, RateLimits

Headers = Mapping[str, str]

MAX_RETRY_AFTER_SECONDS = 86_400.0
MAX_COUNT = 10**15
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def openai_rate_limits(headers: Headers) -> RateLimits:
    def allowance(kind: str) -> Allowance | None:
        limit, remaining = (_count(headers.get(f"x-ratelimit-{part}-{kind}")) for part in ("limit", "remaining"))
        return _allowance(limit, remaining, _go_seconds(headers.get(f"x-ratelimit-reset-{kind}")))

    return RateLimits(requests=allowance("requests"), tokens=allowance("tokens"))


def anthropic_rate_limits(headers: Headers) -> RateLimits:
    answered_at = _http_date(headers.get("date"))

    def allowance(kind: str) -> Allowance | None:
        limit, remaining = (
            _count(headers.get(f"anthropic-ratelimit-{kind}-{part}")) for part in ("limit", "remaining")
        )
        return _allowance(
            limit, remaining, _seconds_until(headers.get(f"anthropic-ratelimit-{kind}-reset"), answered_at)
        )

    return RateLimits(
        requests=allowance("requests"),
        tokens=allowance("tokens"),
        input_tokens=allowance("input-tokens"),
        output_tokens=allowance("output-tokens"),
    )


def retry_after_seconds(headers: Headers) -> float | None:
    """How long the provider asks to wait, at most a day; None if it doesn't say. A date is taken relative to the
    response's own, so that no clock of ours matters."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1_000, MAX_RETRY_AFTER_SECONDS)
    written = headers.get("retry-after")
    seconds = _number(written)
    if seconds is None:
        until, answered_at = _http_date(written), _http_date(headers.get("date"))
        seconds = (until - answered_at).total_seconds() if until and answered_at else None
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _allowance(limit: int | None, remaining: int | None, reset_seconds: float | None) -> Allowance | None:
    return None if limit is None and remaining is None else Allowance(limit, remaining, reset_seconds)


def _count(written: str | None) -> int | None:
    number = _number(written)
    return None if number is None or number > MAX_COUNT else int(number)


def _number(written: str | None) -> float | None:
    try:
        number = float(written or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _go_seconds(written: str | None) -> float | None:
    """`6m0s`, `12ms`: how Go writes a duration."""
    if not written or len(written) > 100 or not _GO_DURATION.fullmatch(written):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _GO_PART.findall(written))


def _seconds_until(written: str | None, answered_at: datetime | None) -> float | None:
    try:
        until = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    if answered_at is None or until.tzinfo is None:
        return None
    return max((until - answered_at).total_seconds(), 0.0)


def _http_date(written: str | None) -> datetime | None:
    try:
        read = parsedate_to_datetime(written or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return read if read.tzinfo is not None else None
