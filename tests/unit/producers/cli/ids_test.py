"""Which thing is meant by the first characters of its id."""

from uuid import UUID

import pytest

from producers.cli.ids import id_of, one_of
from producers.cli.ingress import WrongUsage

FIRST, SECOND = UUID("01a22c26-8885-772c-92f9-8778148c30ba"), UUID("01a22c26-8c57-75ff-9ab2-8e79491dc90d")
NAMED = [(FIRST, "nightly"), (SECOND, "weekly")]


@pytest.mark.parametrize(
    "typed",
    ["01a22c268885", "01a22c26-8885", "01A22C26-8885-", "01a22c26-888…", "01a22c26-888...", str(FIRST), FIRST.hex],
)
def test_the_beginning_of_an_id_is_enough_however_it_was_copied(typed: str) -> None:
    assert id_of(typed, NAMED, "schedule") == FIRST


def test_a_beginning_of_several_ids_names_them_all() -> None:
    with pytest.raises(WrongUsage, match="more than one schedule begins with 01a22c26") as raised:
        id_of("01a22c26", NAMED, "schedule")

    assert f"{FIRST} (nightly)" in str(raised.value)
    assert f"{SECOND} (weekly)" in str(raised.value)


def test_of_very_many_only_a_few_are_named() -> None:
    with pytest.raises(WrongUsage, match=r"; and more$") as raised:
        one_of("0", [(f"0{number}", "key") for number in range(1_000)], "API key")

    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("typed", ["", "…", "nightly", "02"])
def test_what_begins_no_id_is_said_as_it_was_typed(typed: str) -> None:
    with pytest.raises(WrongUsage, match="schedule"):
        id_of(typed, NAMED, "schedule")


def test_a_whole_id_is_taken_as_it_is_without_asking_for_others() -> None:
    asked = iter([(FIRST, "nightly")])

    assert id_of(str(SECOND), asked, "schedule") == SECOND
    assert next(asked)[0] == FIRST, "nobody was asked"
