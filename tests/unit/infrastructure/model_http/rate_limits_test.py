"""What the providers' headers say, and what they can't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.model_http.rate_limits import anthropic_rate_limits, openai_rate_limits, retry_after_seconds
from infrastructure.ports.ai.response import Allowance

DATE = "Mon, 30 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("12ms", 0.012), ("6m0s", 360.0), ("1h2m3.5s", 3723.5), ("0s", 0.0), ("soon", None), ("", None), ("5", None)],
)
def test_durations_are_read_as_go_writes_them(written: str, seconds: float | None) -> None:
    headers = {
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": written,
    }

    limits = openai_rate_limits(headers)

    assert limits.requests is None
    assert limits.tokens is not None
    assert (limits.tokens.limit, limits.tokens.remaining) == (150_000, 149_984)
    assert limits.tokens.reset_seconds == (None if seconds is None else pytest.approx(seconds))


def test_times_are_read_relative_to_the_responses_own_clock() -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "80000",
        "anthropic-ratelimit-input-tokens-remaining": "79000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-30T12:00:42Z",
    }

    assert anthropic_rate_limits({**headers, "date": DATE}).input_tokens == Allowance(80_000, 79_000, 42.0)
    assert anthropic_rate_limits(headers).input_tokens == Allowance(80_000, 79_000, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Mon, 30 Nov 2026 12:01:00 GMT", "date": DATE}, 60.0),
        ({"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Mon, 30 Nov 2026 12:01:00 GMT"}, None),
        ({"retry-after": "4294967296"}, 86_400.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Wed, 21 Oct 99999999999999 07:28:00 GMT", "date": DATE}, None),
    ],
)
def test_a_wait_is_bounded_and_needs_no_clock_of_ours(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@given(st.dictionaries(st.sampled_from(["date", "retry-after", "retry-after-ms"]), st.text(max_size=60)), st.text())
def test_no_header_breaks_a_call(headers: dict[str, str], value: str) -> None:
    retry_after_seconds(headers)
    openai_rate_limits({**headers, "x-ratelimit-limit-requests": value, "x-ratelimit-reset-requests": value})
    anthropic_rate_limits(
        {**headers, "anthropic-ratelimit-requests-limit": value, "anthropic-ratelimit-requests-reset": value}
    )
