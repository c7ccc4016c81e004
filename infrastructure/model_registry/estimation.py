"""What a job's calls would cost: a pure function of their number, their sizes, the prices and the day."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from infrastructure.model_registry.pricing import ModelPrices, price_of
from infrastructure.model_registry.upper_bound import upper_bound
from infrastructure.ports.ai.response import TokenCounts

BYTES_A_TOKEN: Final = 4
"""In English; what is reserved counts half as many, to be on the safe side."""
USED_SHARE: Final = 2
"""A model writes about half of what it may."""


@dataclass(frozen=True, slots=True)
class Work:
    """Calls of about the same size."""

    calls: int
    input_bytes: int
    """Of each."""
    output_tokens: int
    """That each may write."""
    repeats: int = 1
    """How often each may be made at most: repaired, gone on with, or tried again."""

    @property
    def max_input_tokens(self) -> int:
        return self.input_bytes // 2

    @property
    def likely_input_tokens(self) -> int:
        return self.input_bytes // BYTES_A_TOKEN


def likely_usd(work: Work, prices: ModelPrices | None, served_tier: str | None, day: date) -> Decimal | None:
    """None where nobody knows the price."""
    counts = TokenCounts(work.likely_input_tokens, work.output_tokens // USED_SHARE)
    price = price_of(counts, prices, served_tier, day)
    return None if price is None else price.dollars * work.calls


def max_usd(work: Work, prices: ModelPrices | None, day: date) -> Decimal | None:
    """What would be reserved if each call were made as often as it may be: in real time, since that is where a call ends that no
    cheaper lane takes. None as above."""
    one = upper_bound(prices, input_tokens=work.max_input_tokens, output_tokens=work.output_tokens, day=day)
    return None if one is None else one * work.calls * work.repeats
