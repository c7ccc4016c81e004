"""What a table shows where there is little room, and where there is any."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from producers.cli.table import Column, table_lines

JOB = "01a22c26-8885-772c-92f9-8778148c30ba"
PROBLEM = "The document has no text: it has 3 pages, and none of them has a single word that could be read."
COLUMNS: Sequence[Column[Any]] = (
    Column("id", str),
    Column("kind", str),
    Column("state", str),
    Column("took", str, right=True),
    Column("problem", str, prose=True),
)


def test_ids_and_states_are_whole_in_eighty_columns_and_the_problem_goes_beneath() -> None:
    header, names, row, beneath = _lines((JOB, "search.index_document", "succeeded", "12.3s", PROBLEM), width=80)

    assert header.split() == ["id", "kind", "state", "took"]
    assert names == "  problem"
    assert row.split() == [JOB, "search.index_document", "succeeded", "12.3s"]
    assert beneath.startswith("  The document has no text: it has 3 pages")
    assert beneath.endswith("…")
    assert max(map(len, (header, names, row, beneath))) <= 80


def test_prose_that_has_room_is_cut_beside_the_rest() -> None:
    _, row = _lines((JOB, "keys.rotate", "failed", "0.1s", PROBLEM), width=120)

    assert row.startswith(f"{JOB}  keys.rotate  failed  0.1s  The document has no text")
    assert (len(row) in (119, 120), row[-1]) == (True, "…")


def test_what_is_never_cut_is_longer_than_the_terminal_when_it_must() -> None:
    lines = _lines((JOB, "a_package_of_somebody.with_a_very_long_kind", "succeeded", "1.0s", ""), width=60)

    assert f"{JOB} a_package_of_somebody.with_a_very_long_kind succeeded" in "\n".join(lines)


def test_a_piped_table_cuts_nothing() -> None:
    _, row = _lines((JOB, "keys.rotate", "failed", "0.1s", PROBLEM * 30), width=None)

    assert row.endswith(PROBLEM * 30)


def test_wide_characters_keep_the_columns_straight() -> None:
    columns: Sequence[Column[Any]] = (Column("name", str), Column("held", str, right=True))
    lines = [line.plain for line in table_lines([[Text("世界"), Text("7")], [Text("four"), Text("12")]], columns, 80)]

    assert lines == ["name  held", "世界     7", "four    12"]


def _lines(row: Sequence[str], *, width: int | None) -> list[str]:
    return [line.plain for line in table_lines([[Text(cell) for cell in row]], COLUMNS, width)]
