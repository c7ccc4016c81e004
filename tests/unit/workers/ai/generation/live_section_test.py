"""What readers see of a section while it is written is what it says when it is finished."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bucatini.testing import RecordedRun
from events.ai import SectionReset
from workers.ai.generation.live_section import LiveSection


def shown(run: RecordedRun) -> str:
    text = ""
    for _, offset, piece in run.written:
        assert offset <= len(text)
        text = text[:offset] + piece
    return text


@given(st.lists(st.text(alphabet="ab \n", max_size=4), max_size=12))
def test_pieces_are_shown_without_the_blanks_around_the_whole(pieces: list[str]) -> None:
    run = RecordedRun()
    section = LiveSection(run, 0)
    for piece in pieces:
        section.write(piece)
    section.finish("".join(pieces))

    assert shown(run) == "".join(pieces).strip()


@given(st.text(alphabet="ab \n", max_size=6), st.text(alphabet="ab \n", max_size=6))
def test_a_section_that_is_gone_on_with_is_shown_as_one(so_far: str, rest: str) -> None:
    run = RecordedRun()
    LiveSection(run, 0).write(so_far)
    LiveSection(run, 0, so_far).write(rest)

    assert shown(run) == (so_far + rest).strip()


def test_what_no_store_takes_is_not_shown() -> None:
    run = RecordedRun()
    LiveSection(run, 0).write("a\x00b\ud800c")

    assert shown(run) == "ab?c"


def test_after_a_failover_it_begins_anew_with_what_was_there_before_the_call() -> None:
    run = RecordedRun()
    section = LiveSection(run, 3, "Rent is ")
    section.write("du")
    asyncio.run(section.restart("gpt-6-luna", "cut_short"))
    section.write("due.")

    assert run.recorded == [SectionReset(section=3, error="cut_short", model="gpt-6-luna")]
    assert run.written[1:] == [(3, 0, "Rent is"), (3, 7, " due.")]
