"""What a run has written and nobody has heard yet: contiguous by section, and bounded."""

from datetime import UTC, datetime
from typing import Any

import orjson

from events.ai import TextWritten
from events.envelope import CloudEvent
from tests.unit.workers.runtime.runs import claimed
from workers.runtime.running.drafts import MAX_HELD_CHARACTERS, Draft


def test_pieces_of_a_section_are_joined_and_say_where_they_begin() -> None:
    draft = _draft((0, 0, "One "), (0, 4, "and "), (1, 0, "Two"), (0, 8, "more"))

    assert _sent(draft) == [(0, 0, "One and more"), (1, 0, "Two")]


def test_what_doesnt_go_on_where_the_last_piece_ended_replaces_it() -> None:
    assert _sent(_draft((0, 0, "lost"), (0, 9, "gap"))) == [(0, 9, "gap")]
    assert _sent(_draft((0, 0, "first try"), (0, 0, "again"))) == [(0, 0, "again")]


def test_a_reset_takes_back_and_is_counted() -> None:
    draft = _draft((0, 0, "bad"))
    draft.reset(0)
    draft.add(0, 0, "good", datetime.now(UTC))

    (event,) = _events(draft)
    assert TextWritten.model_validate(event.data).resets == 1
    assert (event.data or {})["text"] == "good"


def test_a_run_holds_a_bounded_text() -> None:
    draft = _draft(*[(number % 7, number // 7, "x") for number in range(2 * MAX_HELD_CHARACTERS)])
    assert draft.characters <= MAX_HELD_CHARACTERS
    assert draft.characters == sum(len(text) for _, _, text in _sent(draft))

    assert _sent(_draft((0, 0, "y" * (MAX_HELD_CHARACTERS + 1)))) == []


def test_half_a_character_is_replaced_rather_than_lost_with_its_piece() -> None:
    assert _sent(_draft((0, 0, "a\ud83d!"))) == [(0, 0, "a?!")]


def _draft(*pieces: tuple[int, int, str]) -> Draft:
    draft = Draft(claimed())
    for section, offset, text in pieces:
        draft.add(section, offset, text, datetime.now(UTC))
    return draft


def _sent(draft: Draft) -> list[tuple[int, int, str]]:
    written = [TextWritten.model_validate(event.data) for event in _events(draft)]
    return [(one.section, one.offset, one.text) for one in written]


def _events(draft: Draft) -> list[CloudEvent]:
    found: list[Any] = []
    while draft.held:
        found.append(orjson.loads(draft.first()))
        draft.remove_first()
    return [CloudEvent.model_validate(one) for one in found]
