"""What a call costs: a pure function of its usage, its model's prices, the served tier and the day. What isn't known is
None and never 0.

The meaning of the rates is that of `genai-prices`, which the tests compare each price with: a rate that a model lacks is
that of the tokens around it, and a tier holds for all tokens of a call whose whole input is larger than its start.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from infrastructure.ports.ai.response import TokenCounts

PER = 1_000_000
STANDARD_TIERS = frozenset({None, "", "auto", "default", "standard"})
"""Served tiers that cost what the model costs."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars for a million tokens."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(input tokens, rate above so many), ascending."""

    def at(self, input_tokens: int) -> Decimal:
        return next((rate for start, rate in reversed(self.tiers) if input_tokens > start), self.base)


Rates = Mapping[str, Rate]


@dataclass(frozen=True, slots=True)
class DatedRates:
    rates: Rates
    start: date | None = None
    """The first day they hold for."""
    when: tuple[tuple[str, str], ...] = ()
    """What a call must have been served as; nothing for every call."""


@dataclass(frozen=True, slots=True)
class ModelPrices:
    source: str
    """Where they are from, such as `genai-prices 0.2.3`; stored beside each cost that was made of them."""
    prices: tuple[DatedRates, ...]
    variants: tuple[DatedRates, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    dollars: Decimal
    """Exact: no rate is rounded."""
    source: str


def price_of(
    counts: TokenCounts | None, prices: ModelPrices | None, served_tier: str | None, day: date
) -> Price | None:
    """None when the usage, the model's price or that of its served tier isn't known."""
    if counts is None or prices is None:
        return None
    rates = _rates_for(prices, served_tier, day)
    return None if rates is None else Price(_dollars(counts, rates), prices.source)


def _rates_for(prices: ModelPrices, served_tier: str | None, day: date) -> Rates | None:
    standard = rates_on(prices, day)
    if served_tier in STANDARD_TIERS:
        return standard
    # One says `service_tier`, the other `processing` or `speed`; no tier of one is called as another's.
    fitting = [one for one in prices.variants if [tier for _, tier in one.when] == [served_tier] and _holds(one, day)]
    if not fitting or standard is None:
        return None
    overrides: dict[str, Rate] = {}
    for one in fitting:
        overrides = {**one.rates, **overrides}
    return {**standard, **overrides}


def rates_on(prices: ModelPrices, day: date) -> Rates | None:
    """Those of the standard tier on that day."""
    return next((one.rates for one in reversed(prices.prices) if _holds(one, day)), None)


def _holds(one: DatedRates, day: date) -> bool:
    return one.start is None or one.start <= day


def _dollars(counts: TokenCounts, rates: Rates) -> Decimal:
    def at(*names: str) -> Decimal:
        rate = next((rates[name] for name in names if name in rates), None)
        return Decimal(0) if rate is None else rate.at(counts.input_tokens)

    short_writes = counts.cache_write_tokens - counts.cache_write_1h_tokens
    fresh = counts.input_tokens - counts.cache_read_tokens - counts.cache_write_tokens
    return (
        fresh * at("input_mtok")
        + counts.cache_read_tokens * at("cache_read_mtok", "input_mtok")
        + short_writes * at("cache_write_mtok", "input_mtok")
        + counts.cache_write_1h_tokens * at("cache_write_1h_mtok", "cache_write_mtok", "input_mtok")
        + counts.output_tokens * at("output_mtok")
    ) / PER


@cache
def shipped_prices() -> Mapping[str, ModelPrices]:
    """The prices of the snapshot, by `provider/model` as `genai-prices` names them."""
    taken: dict[str, Any] = json.loads((files(__package__) / "prices.json").read_bytes())
    source = f"{taken['source'].partition(',')[0]} of {taken['taken_on']}"
    return {name: _prices(source, one) for name, one in taken["models"].items()}


def own_prices(source: str, rates: Mapping[str, Decimal]) -> ModelPrices:
    """Prices that a registry file gives for a model: the same on every day, in the standard tier only."""
    return ModelPrices(source, (DatedRates({name: Rate(rate) for name, rate in rates.items()}),))


def _prices(source: str, written: Mapping[str, Any]) -> ModelPrices:
    return ModelPrices(source, _dated(written["prices"]), _dated(written["variants"]))


def _dated(written: Sequence[Mapping[str, Any]]) -> tuple[DatedRates, ...]:
    return tuple(
        DatedRates(
            {name: _rate(rate) for name, rate in one["rates"].items()},
            date.fromisoformat(one["from"]) if one["from"] else None,
            tuple(one.get("when", {}).items()),
        )
        for one in written
    )


def _rate(written: Mapping[str, Any]) -> Rate:
    return Rate(Decimal(written["base"]), tuple((start, Decimal(rate)) for start, rate in written["tiers"]))
