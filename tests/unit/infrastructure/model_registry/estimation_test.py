"""What a job's calls would cost."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.model_registry.estimation import Work, likely_usd, max_usd
from infrastructure.model_registry.registry import load

DAY = date(2026, 11, 30)
PRICES = load().prices("claude-sonnet-5-5")
"""2 dollars for a million tokens of input, up to 4 written to the prompt cache, 10 of output."""


def test_what_is_likely_is_half_of_the_output_and_a_token_for_each_four_bytes() -> None:
    work = Work(calls=3, input_bytes=4_000_000, output_tokens=100_000)
    assert likely_usd(work, PRICES, None, DAY) == 3 * (Decimal(2) + Decimal("0.5"))


def test_a_batch_is_likely_to_cost_half() -> None:
    work = Work(calls=1, input_bytes=4_000_000, output_tokens=100_000)
    in_real_time, in_a_batch = (likely_usd(work, PRICES, tier, DAY) for tier in (None, "batch"))
    assert in_real_time is not None
    assert in_a_batch == in_real_time / 2


def test_what_it_may_cost_at_most_is_what_would_be_reserved() -> None:
    work = Work(calls=2, input_bytes=2_000_000, output_tokens=100_000)
    assert max_usd(work, PRICES, DAY) == 2 * (Decimal(4) + Decimal(1))


def test_calls_that_may_be_made_again_cost_at_most_as_many_times_as_much() -> None:
    once, thrice = (Work(2, 1_000, 1_000, repeats) for repeats in (1, 3))
    most = max_usd(once, PRICES, DAY)
    assert most is not None
    assert max_usd(thrice, PRICES, DAY) == 3 * most
    assert likely_usd(thrice, PRICES, None, DAY) == likely_usd(once, PRICES, None, DAY)


def test_nobody_knows_it_without_a_price() -> None:
    work = Work(1, 1_000, 1_000)
    assert likely_usd(work, None, None, DAY) is None
    assert max_usd(work, None, DAY) is None


@given(st.integers(1, 50), st.integers(0, 10_000_000), st.integers(1, 100_000))
def test_it_is_never_likelier_to_cost_more_than_it_may(calls: int, input_bytes: int, output_tokens: int) -> None:
    work = Work(calls, input_bytes, output_tokens)
    likely, most = likely_usd(work, PRICES, None, DAY), max_usd(work, PRICES, DAY)
    assert likely is not None
    assert most is not None
    assert likely <= most
