"""Prices, compared with those of `genai-prices` itself."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.model_registry.pricing import DatedRates, ModelPrices, Rate, own_prices, price_of, shipped_prices
from infrastructure.model_registry.registry import load
from infrastructure.model_registry.snapshot import snapshot
from infrastructure.ports.ai.response import TokenCounts

DAY = date(2026, 11, 30)
COUNTS = TokenCounts(1_000, 100)
tokens = st.integers(0, 400_000)


@st.composite
def counts(draw: st.DrawFn) -> TokenCounts:
    fresh, read, written = draw(tokens), draw(tokens), draw(tokens)
    return TokenCounts(
        fresh + read + written, draw(tokens), read, written, cache_write_1h_tokens=draw(st.integers(0, written))
    )


def _theirs(name: str, counts: TokenCounts, tier: str | None, day: date) -> Decimal:
    provider, _, model = name.partition("/")
    usage = Usage(
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_tokens,
        **({"cache_write_1h_tokens": counts.cache_write_1h_tokens} if provider == "anthropic" else {}),
    )
    context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier} if tier else None
    at = datetime.combine(day, time(12), UTC)
    return calc_price(usage, model, provider_id=provider, genai_request_timestamp=at, price_context=context).total_price


MODELS = [spec.price for spec in load().models.values() if spec.price]
OTHERS = ["openai/gpt-5.4", "openai/gpt-5.6-luna", "anthropic/claude-sonnet-4-6", "openai/gpt-5.2-pro"]


@pytest.mark.parametrize("name", [*MODELS, *OTHERS])
@settings(deadline=None)  # The first price has theirs read their data.
@given(counts=counts(), day=st.dates(date(2025, 6, 1), date(2027, 1, 1)), batch=st.booleans())
def test_our_price_is_theirs_to_the_last_digit(name: str, counts: TokenCounts, day: date, batch: bool) -> None:
    # Before a tier had a price they take the usual one, and we take none.
    tier = "batch" if batch and day >= DAY else None
    if name.startswith("openai/"):
        counts = TokenCounts(
            counts.input_tokens, counts.output_tokens, counts.cache_read_tokens, counts.cache_write_tokens
        )
    price = price_of(counts, shipped_prices()[name], tier, day)

    assert price is not None
    assert price.dollars == _theirs(name, counts, tier, day)


@pytest.mark.parametrize("tier", ["flex", "priority", "default"])
@settings(deadline=None)
@given(counts=counts())
def test_a_tier_costs_what_it_costs_there(tier: str, counts: TokenCounts) -> None:
    name = "openai/gpt-6-luna"
    plain = TokenCounts(counts.input_tokens, counts.output_tokens, counts.cache_read_tokens, counts.cache_write_tokens)
    price = price_of(plain, shipped_prices()[name], tier, DAY)

    assert price is not None
    assert price.dollars == _theirs(name, plain, tier, DAY)


def test_what_isnt_known_has_no_price_rather_than_none_to_pay() -> None:
    prices = shipped_prices()["openai/gpt-6-luna"]

    assert price_of(None, prices, None, DAY) is None
    assert price_of(COUNTS, None, None, DAY) is None
    assert price_of(COUNTS, prices, "a_tier_of_tomorrow", DAY) is None
    assert (
        price_of(COUNTS, own_prices("ours", {"input_mtok": Decimal(1), "output_mtok": Decimal(1)}), "flex", DAY) is None
    )


def test_a_day_before_the_first_price_has_none() -> None:
    late = ModelPrices("test", (DatedRates({"input_mtok": Rate(Decimal(1))}, start=date(2027, 1, 1)),))

    assert price_of(COUNTS, late, None, DAY) is None


def test_a_price_of_nothing_is_a_price() -> None:
    price = price_of(COUNTS, load().prices("offline"), None, DAY)

    assert price is not None
    assert price.dollars == 0


def test_the_snapshot_is_what_the_installed_package_says() -> None:
    """After `genai-prices` is updated: `python -m infrastructure.model_registry.snapshot`."""
    taken = snapshot(DAY.isoformat())

    assert set(taken["models"]) == set(shipped_prices())
    source = next(iter(shipped_prices().values())).source
    assert source.startswith(taken["source"].partition(",")[0])
