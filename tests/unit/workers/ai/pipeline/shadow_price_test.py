"""What a call would have cost without anything that makes it cheaper."""

from datetime import date
from decimal import Decimal

from infrastructure.model_registry.registry import load
from infrastructure.ports.ai.request import ModelRequest, user
from infrastructure.ports.ai.response import TokenCounts
from workers.ai.pipeline.shadow_price import shadow_usd

DAY = date(2026, 11, 30)
MODEL = "claude-sonnet-5-5"
PRICES = load().prices(MODEL)
SENT = ModelRequest(MODEL, (user("x" * 8_000),), 100)


def test_without_savings_it_is_what_the_call_costs() -> None:
    counts = TokenCounts(1_000_000, 100_000)
    assert shadow_usd(SENT, SENT, counts, PRICES, DAY) == Decimal("3")


def test_tokens_from_a_cache_count_as_fresh_ones() -> None:
    counts = TokenCounts(1_000_000, 100_000, cache_read_tokens=900_000)
    assert shadow_usd(SENT, SENT, counts, PRICES, DAY) == Decimal("3")


def test_what_the_optimiser_left_out_counts_in_proportion() -> None:
    whole = ModelRequest(MODEL, (user("x" * 16_000),), 100)
    counts = TokenCounts(10_000, 0)
    shadow, plain = (shadow_usd(SENT, one, counts, PRICES, DAY) for one in (whole, SENT))
    assert shadow is not None
    assert plain is not None
    assert Decimal("1.9") < shadow / plain < 2


def test_nobody_knows_it_without_a_price_or_the_usage() -> None:
    assert shadow_usd(SENT, SENT, None, PRICES, DAY) is None
    assert shadow_usd(SENT, SENT, TokenCounts(1, 1), None, DAY) is None
