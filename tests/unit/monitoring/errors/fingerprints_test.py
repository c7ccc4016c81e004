"""Which failures are one failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors.fingerprints import LENGTH, fingerprint, normalised
from schemas.problems import Problem


def _print(detail: str, *, kind: str = "ai.process_document", name: str = "unavailable", title: str = "Away") -> str:
    return fingerprint(kind, Problem.of(name, title, 503, detail))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It was ended after 2 s.", "It was ended after 30.5 s."),
        ("no document 74e6ca6a-215d-47b5-8bfb-351032bd9051", "no document 9d15ba8d-a3c2-44b6-90dc-36938629506c"),
        ("the field 'title' is odd", "the field 'a name of 7 words' is odd"),
        ('no index "acme"', "no index “birch”"),
        ("at 10.0.0.1:5432 since 12:30:05", "at 10.0.0.99:6432 since 01:00:00"),
        ("digest 9f86d081884c7d65", "digest 2c26b46b68ffc68f"),
        ("two  words\n", "two words"),
    ],
)
def test_what_differs_from_job_to_job_makes_no_other_failure(one: str, other: str) -> None:
    assert _print(one) == _print(other)


def test_another_kind_problem_or_wording_is_another_failure() -> None:
    prints = {
        _print("the server is away"),
        _print("the server is full"),
        _print("the server is away", kind="ai.analyze_content"),
        _print("the server is away", name="timed-out"),
    }

    assert len(prints) == 4
    assert _print("the server is away", title="Worded anew") in prints


@given(st.text(st.characters(exclude_characters="\x00"), max_size=2_000), st.integers(), st.integers())
def test_numbers_never_tell_failures_apart(text: str, one: int, other: int) -> None:
    assert normalised(f"{one} {text}") == normalised(f"{other} {text}") or len(text) > 400
    assert len(_print(text)) == LENGTH
