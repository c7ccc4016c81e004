"""Range requests: what is served is what the bytes say, for any header."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.problems import Refusal
from api.http.ranges import ByteRange, wanted_range

CONTENT = bytes(range(200))
ETAG = '"3-abc"'


def _served(header: str, if_range: str | None = None, content: bytes = CONTENT) -> bytes | None:
    """What a client gets in a 206; None for the whole."""
    wanted = wanted_range(header, if_range, ETAG, len(content))
    return None if wanted is None else content[wanted.start : wanted.end]


@pytest.mark.parametrize(
    ("header", "served"),
    [
        ("bytes=0-0", CONTENT[:1]),
        ("bytes=10-19", CONTENT[10:20]),
        ("bytes=190-", CONTENT[190:]),
        ("bytes=190-99999999999999999999", CONTENT[190:]),
        ("bytes=-5", CONTENT[-5:]),
        ("bytes=-1000", CONTENT),
        ("BYTES = 1 - 2", CONTENT[1:3]),
    ],
)
def test_a_range_is_served_as_the_bytes_say(header: str, served: bytes) -> None:
    assert _served(header) == served


@pytest.mark.parametrize(
    "header",
    [
        "bytes=5-4",
        "bytes=a-b",
        "bytes=-",
        "bytes=",
        "items=0-1",
        "bytes=0-1,4-5",
        "bytes=--1",
        "bytes=1",
        "",
        "x" * 500,
    ],
)
def test_a_header_that_is_malformed_or_has_several_ranges_is_ignored(header: str) -> None:
    assert _served(header) is None


@pytest.mark.parametrize("header", ["bytes=200-", "bytes=200-300", "bytes=-0"])
def test_a_range_beyond_the_content_is_refused_with_its_size(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        _served(header)

    assert refused.value.problem.status == 416
    assert (b"content-range", b"bytes */200") in refused.value.headers


def test_an_empty_content_has_no_range() -> None:
    with pytest.raises(Refusal):
        _served("bytes=0-", content=b"")


def test_the_whole_is_served_when_the_range_is_of_another_state() -> None:
    assert _served("bytes=0-1", if_range=ETAG) == CONTENT[:2]
    assert _served("bytes=0-1", if_range='"2-abc"') is None
    assert _served("bytes=0-1", if_range=f"W/{ETAG}") is None
    assert _served("bytes=0-1", if_range="Mon, 30 Nov 2026 15:01:36 GMT") is None


@given(st.text(alphabet="bytes=-,0123456789 \t", max_size=30), st.binary(max_size=40))
def test_no_header_serves_anything_but_a_stretch_of_the_content(header: str, content: bytes) -> None:
    wanted = None
    with suppress(Refusal):
        wanted = wanted_range(header, None, ETAG, len(content))
    if wanted is not None:
        assert 0 <= wanted.start < wanted.end <= len(content)


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_range_within_the_content_has_the_bytes_from_its_first_to_its_last(first: int, last: int) -> None:
    if first <= last and first < len(CONTENT):
        wanted = wanted_range(f"bytes={first}-{last}", None, ETAG, len(CONTENT))

        assert wanted == ByteRange(first, min(last + 1, len(CONTENT)))
