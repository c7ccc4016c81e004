"""The most that a call can cost: what is reserved for it, and what a budget must have room for."""

from datetime import date
from decimal import Decimal

from infrastructure.model_registry.pricing import PER, ModelPrices, rates_on

INPUT_RATES = ("input_mtok", "cache_write_mtok", "cache_write_1h_mtok")


def upper_bound(prices: ModelPrices | None, *, input_tokens: int, output_tokens: int, day: date) -> Decimal | None:
    """US dollars, if all of the input is new and written to the prompt cache, and all of the output is used. None when
    nobody knows the price."""
    rates = None if prices is None else rates_on(prices, day)
    if rates is None:
        return None
    dearest = max((rates[name].at(input_tokens) for name in INPUT_RATES if name in rates), default=Decimal(0))
    output = rates["output_mtok"].at(input_tokens) if "output_mtok" in rates else Decimal(0)
    return (input_tokens * dearest + output_tokens * output) / PER
