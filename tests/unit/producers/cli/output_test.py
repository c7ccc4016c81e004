"""What is shown on a terminal never steers it, and is whole where a program reads it."""

import json
import unicodedata
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from producers.cli.batches import json_lines
from producers.cli.output import cell, print_json, print_line, print_note, print_table, printable
from producers.cli.sample_report import print_summary
from producers.cli.samples import Answered, Finished, Imported
from schemas.jobs import JobState
from schemas.search import Hit, SearchResults, Snippet

STEERING = ("Cc", "Zl", "Zp", "Cs")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\u202egnp.exe\u2028 end"


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left_in_a_line(text: str) -> None:
    assert not [one for one in printable(text) if unicodedata.category(one) in STEERING]


def test_what_people_write_stays_as_it_is() -> None:
    assert (
        printable("Grüße, 世界, עברית, 👩\u200d👩\u200d👧 e\u0301") == "Grüße, 世界, עברית, 👩\u200d👩\u200d👧 e\u0301"
    )
    assert printable("a\x1b[31mb\u202ec") == "a\\x1b[31mb\\u202ec"


def test_lines_json_and_cells_carry_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE)
    print_note(HOSTILE)
    print_json(json.dumps({"title": HOSTILE}, ensure_ascii=False))
    table = Table(box=None)
    table.add_column("title")
    table.add_row(cell(HOSTILE))
    print_table(table)
    written = capsys.readouterr()

    for line in (*written.out.splitlines(), *written.err.splitlines()):
        assert printable(line) == line
    assert json.loads(written.out.split("\n")[1]) == {"title": HOSTILE}, "a program reads what was stored"


def test_a_piped_table_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    table.add_column("problem", no_wrap=True, overflow="ellipsis")
    table.add_row("x" * 2_000)
    print_table(table)

    assert "x" * 2_000 in capsys.readouterr().out


def test_the_summary_shows_state_time_and_dates_whole_however_narrow_the_terminal_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    narrow = StringIO()
    print_summary(Console(file=narrow, force_terminal=True, width=80, color_system=None), IMPORTED)
    print_summary(Console(width=80), IMPORTED)
    piped = capsys.readouterr().out

    for shown in (narrow.getvalue(), piped):
        assert "succeeded" in shown
        assert "12345" in shown
        assert "2026-03-03" in shown
    assert max(map(len, narrow.getvalue().splitlines())) <= 80
    assert "a-very-long-name-of-a-document-that-no-column-has-room-for.md" in piped
    assert "…" not in piped


def test_the_summary_ends_with_what_a_search_finds(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(Console(width=200), IMPORTED)
    shown = capsys.readouterr().out

    assert "1 of 1 succeeded; provider: offline" in shown
    assert "a search for consent finds 1 document:" in shown
    assert "Lease (samples/lease.md)" in shown
    assert "the consent [bold]of" in shown, "a document's text is no markup"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a": 1}\n\n  \n{"b": 2}\n', [(1, '{"a": 1}'), (4, '{"b": 2}')]),
        ('{"a": "x\u2028y\x85z\x0c"}\n{"b": 2}', [(1, '{"a": "x\u2028y\x85z\x0c"}'), (2, '{"b": 2}')]),
        ('{"a": 1}\r\n{"b": 2}\r\n', [(1, '{"a": 1}\r'), (2, '{"b": 2}\r')]),
    ],
)
def test_only_a_line_break_ends_a_line_of_json(text: str, lines: list[tuple[int, str]]) -> None:
    assert json_lines(text) == lines


HIT = Hit(
    document_id="samples/lease.md",
    score=1.0,
    title="Lease",
    snippet=Snippet(text="the consent\n[bold]of the landlord"),
    document_type="document",
    industry=None,
    language="en",
    tags=(),
    created_at=datetime.now(UTC),
    version=1,
)
FACTS: dict[str, Any] = {
    "language": {"code": "en"},
    "parties": [{"name": "Alder Trading Company Limited"}, {"name": "Birch"}],
    "amounts": [{"value": "1250000.00", "currency": "EUR"}],
    "dates": [{"iso": "2026-03-03", "text": "3 March 2026"}],
    "key_phrases": [{"text": "landlord's written consent"}],
    "provider": {"name": "offline"},
}
IMPORTED = Imported(
    [
        Finished(
            "a-very-long-name-of-a-document-that-no-column-has-room-for.md",
            JobState.SUCCEEDED,
            facts=FACTS,
            milliseconds=12_345,
        )
    ],
    Answered("consent", SearchResults(total=1, hits=(HIT,))),
)
