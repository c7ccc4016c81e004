"""Resume tokens: opaque to clients, strict when they come back."""

from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.problems import Refusal
from api.streams.resume_tokens import _PLACE, position_from, seq_from, token_of
from infrastructure.postgres.events.feed import Place, Position

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@st.composite
def snapshots(draw: st.DrawFn) -> str:
    steps = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
    lowest, *rest = accumulate(steps)
    highest = rest.pop() if rest else lowest
    return f"{lowest}:{highest}:{','.join(map(str, rest))}"


places = st.builds(
    Place,
    st.integers(0, 250_000_000_000_000_000).map(lambda since: EPOCH + timedelta(microseconds=since)),
    st.uuids(),
    st.integers(1, 2**31 - 1),
)
positions = st.builds(Position, snapshots()) | st.builds(Position, snapshots(), snapshots(), places)


@given(positions)
def test_a_position_survives_encoding(position: Position) -> None:
    assert position_from(token_of(position)) == position


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_any_text_is_refused_or_parsed_but_never_an_unhandled_error(token: str) -> None:
    with suppress(Refusal):
        assert token == "" or isinstance(position_from(token), Position)


@pytest.mark.parametrize(
    "packed",
    [
        b"\x02\x00\x01",
        b"\x03\x05\x01\x01",
        b"\x04\x05\x05\x03\x02",
        b"\x0b\x01" + b"\xff" * 9 + b"\x01",
        b"\x0b" + b"\xff" * 11,
        b"\x01\x01",
        b"\x00",
        b"\x02\x01",
        b"\x02\x01\x00" + b"\x02\x01\x00",
        b"\x02\x01\x00" + b"\x02\x01\x00" + _PLACE.pack(1, bytes(16), 0),
        b"\x02\x01\x00" + b"\x02\x01\x00" + _PLACE.pack(1, bytes(16), 2**31),
        b"\x02\x01\x00" + b"\x02\x01\x00" + _PLACE.pack(2**60, bytes(16), 1),
        b"\x02\x01\x00" + b"\x02\x01\x00" + _PLACE.pack(1, bytes(16), 1) + b"\x00",
        orjson.dumps(["1:1:"]),
    ],
)
def test_a_forged_place_is_refused(packed: bytes) -> None:
    with pytest.raises(Refusal, match="place to resume"):
        position_from(urlsafe_b64encode(packed).rstrip(b"=").decode())


def test_a_place_is_short() -> None:
    snapshot = "1234567890:1234567899:1234567890,1234567893"
    place = Place(datetime(2026, 11, 22, tzinfo=UTC), UUID(int=7), 7)

    assert len(token_of(Position(snapshot, snapshot, place))) <= 64


def test_a_places_time_is_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 22, 16, 1, 31, 999_999, tzinfo=UTC) + timedelta(days=12_345)
    place = Place(at, UUID(int=7), 7)

    read = position_from(token_of(Position("1:1:", "2:2:", place)))

    assert read is not None
    assert read.after == place


def test_a_seq_is_digits_only() -> None:
    assert [seq_from(given) for given in (None, "", "0", "17", "2147483647")] == [0, 0, 0, 17, 2147483647]
    for forged in ("-1", "+1", "1.0", "٣", " 1", "2147483648", "1" * 5_000):
        with pytest.raises(Refusal):
            seq_from(forged)
