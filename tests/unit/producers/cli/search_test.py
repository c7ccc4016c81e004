"""Hits in a shell."""

from producers.cli.search.query import MARKED, marked
from schemas.search import Mark


def test_a_snippet_is_on_one_line_and_what_matched_is_still_marked() -> None:
    shown = marked("The rent\n\n\tis due\x1b[31m.", [Mark(start=4, end=8), Mark(start=14, end=17)])

    assert shown.plain == "The rent is due\\x1b[31m."
    assert [shown.plain[span.start : span.end] for span in shown.spans if span.style == MARKED] == ["rent", "due"]
