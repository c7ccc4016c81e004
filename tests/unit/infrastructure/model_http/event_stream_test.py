"""Server-sent events out of bytes in pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.model_http import event_stream
from infrastructure.model_http.event_stream import EventSplitter, StreamMalformed, json_of

documents = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=6)


@given(documents=documents, ends=st.sampled_from(["\n", "\r\n"]), cuts=st.lists(st.integers(1, 40), min_size=1))
def test_events_are_whole_wherever_the_pieces_end(documents: list[dict[str, str]], ends: str, cuts: list[int]) -> None:
    lines = [f": keep-alive\n\nevent: some\ndata: {json.dumps(one)}\n\n" for one in documents]
    rest = "".join(lines).replace("\n", ends).encode()
    splitter, found, turn = EventSplitter(), [], 0
    while rest:
        size = cuts[turn % len(cuts)]
        found += [json_of(data) for data in splitter.feed(rest[:size])]
        rest, turn = rest[size:], turn + 1

    assert found == documents


def test_data_over_several_lines_is_one_text() -> None:
    assert list(EventSplitter().feed(b'data: {"a":\ndata: 1}\n\n')) == [b'{"a":\n1}']


def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENT_BYTES", 100)
    splitter = EventSplitter()
    with pytest.raises(StreamMalformed, match="longer than 100 bytes"):
        list(splitter.feed(b"data: " + b"x" * 200))


@pytest.mark.parametrize("data", [b"{", b"[1]", b"null", b'"text"', b"", b"\xff"])
def test_what_is_no_json_object_is_malformed_and_not_quoted(data: bytes) -> None:
    with pytest.raises(StreamMalformed) as malformed:
        json_of(data)

    assert "text" not in str(malformed.value)
