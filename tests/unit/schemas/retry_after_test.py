"""Parsing of valid and malformed `Retry-After` headers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.retry_after import asked_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 5_000, 999_999_999.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("²", None),
        ("Wed, 21 Oct 2015 07:28:00", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 99999999999999999999 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
        ("Wed, 01 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_seconds_and_dates_are_read_and_all_else_is_ignored(header: str, seconds: float | None) -> None:
    found = asked_seconds(header, NOW)

    assert found == seconds


@given(
    st.text(st.characters(max_codepoint=255))
    | st.from_regex(r"Wed, \d{1,30} Oct \d{1,30} \d{1,9}:\d{1,9}:00 (GMT|[+-]\d{1,30})")
)
def test_no_header_at_all_breaks_who_reads_it(header: str) -> None:
    found = asked_seconds(header, NOW)

    assert found is None or 0.0 <= found <= timedelta(days=366 * 10_000).total_seconds()
