"""README's table of what the search engines do."""

from tests.contracts.search.capabilities import BEGIN, END, README, table


def test_the_table_says_what_the_contract_has() -> None:
    shown = README.read_text().partition(BEGIN)[2].partition(END)[0]

    assert shown == table(), "run `python -m tests.contracts.search.capabilities`"
