"""A job's text is put together from its events: in order, complete, and with a mark where a section is written anew."""

from datetime import UTC, datetime
from itertools import chain
from typing import Any

from events.envelope import CloudEvent
from producers.client.written_text import Reset, WrittenText


def test_pieces_come_at_once_and_sections_in_their_order() -> None:
    assert _pieces(
        _started(1), _delta(0, "One "), _delta(1, "Two", offset=0), _delta(0, "and", offset=4), _complete(0, "One and.")
    ) == ["One ", "and", ".", "\n\n", "Two"]


def test_what_was_missed_comes_with_the_sections_end() -> None:
    assert _text(_started(1), _delta(0, "a"), _delta(0, "ccc", offset=5), _complete(0, "abbbbccc")) == "abbbbccc"
    assert _pieces(_delta(0, "late", offset=9), _complete(0, "not so late")) == ["not so late"]


def test_nothing_comes_twice() -> None:
    assert _pieces(_delta(0, "abc"), _delta(0, "abc"), _delta(0, "bcd", offset=1), _complete(0, "abcd")) == ["abc", "d"]


def test_a_section_that_is_written_anew_is_marked_and_never_spliced() -> None:
    events = (_started(1), _delta(0, "The first"), _reset(0), _delta(0, "Another", resets=1), _complete(0, "Another."))

    pieces = _pieces(*events)

    assert pieces == ["The first", Reset(0), "Another", "."]
    assert isinstance(pieces[1], Reset)
    assert pieces[1].section == 0
    assert "written anew" in pieces[1]


def test_a_piece_that_overtakes_its_reset_counts() -> None:
    assert _pieces(
        _started(1), _delta(0, "Old"), _delta(0, "New", resets=1), _reset(0), _delta(0, "er", offset=3, resets=1)
    ) == ["Old", Reset(0), "New", "er"]


def test_a_late_piece_of_an_earlier_writing_is_ignored() -> None:
    assert _pieces(_started(1), _delta(0, "Old"), _started(2), _delta(0, "er", offset=3), _complete(0, "Older")) == [
        "Old",
        "er",
    ], "and what is written the same again needs no mark"


def test_another_attempt_writes_only_its_unfinished_sections_anew() -> None:
    assert _pieces(
        _started(1),
        _complete(0, "Kept"),
        _delta(1, "Lost"),
        _started(2),
        _delta(1, "Made", attempt=2),
        _complete(1, "Made."),
    ) == ["Kept", "\n\n", "Lost", Reset(1), "Made", "."]


def test_whoever_wants_what_is_final_gets_whole_sections() -> None:
    events = (
        _started(1),
        _delta(0, "Bad"),
        _reset(0),
        _complete(0, "Good"),
        _delta(1, "Half"),
        _complete(1, "Half done"),
    )

    assert _pieces(*events, live=False) == ["Good", "\n\n", "Half done"]


def test_text_of_a_section_that_is_never_completed_comes_at_the_end() -> None:
    assert _pieces(_delta(0, "so far"), _delta(2, "apart"), live=False) == ["so far", "\n\n", "apart"]


def _pieces(*events: CloudEvent, live: bool = True) -> list[str]:
    written = WrittenText(live=live)
    return [*chain.from_iterable(map(written.take, events)), *written.rest()]


def _text(*events: CloudEvent) -> str:
    return "".join(_pieces(*events))


def _started(attempt: int) -> CloudEvent:
    return _event("job.started", attempt=attempt)


def _delta(section: int, text: str, *, offset: int = 0, attempt: int = 1, resets: int = 0) -> CloudEvent:
    return _event("ai.delta", section=section, offset=offset, text=text, attempt=attempt, resets=resets)


def _reset(section: int) -> CloudEvent:
    return _event("ai.section_reset", section=section, error="cut_short", model="m")


def _complete(section: int, text: str) -> CloudEvent:
    return _event("ai.section_completed", section=section, of=2, heading="", text=text, model="m")


def _event(kind: str, **data: Any) -> CloudEvent:
    return CloudEvent(id="1", source="/", type=kind, subject="1", time=datetime.now(UTC), data=data)
