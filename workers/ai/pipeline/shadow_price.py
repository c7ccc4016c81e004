"""What a call would have cost without anything that makes it cheaper: a pure function, so that the saving can be computed anew."""

from datetime import date
from decimal import Decimal

from infrastructure.model_registry.pricing import ModelPrices, price_of
from infrastructure.ports.ai.request import ModelRequest, estimated_input_tokens
from infrastructure.ports.ai.response import TokenCounts


def shadow_usd(
    sent: ModelRequest, shadow: ModelRequest | None, counts: TokenCounts | None, prices: ModelPrices | None, day: date
) -> Decimal | None:
    """The price of the same answer of the same model by the un-optimised request, in real time and without prompt caches.

    The un-optimised input wasn't sent, so nobody counted its tokens: they are the counted ones of what was sent, in the
    proportion of both requests' texts. Another model that a task might have been given doesn't come in, nor what wasn't asked
    because an answer was cached: that is this price with nothing paid. None where the price or the usage isn't known.
    """
    if counts is None:
        return None
    # Only where something was left out: the estimate of one and the same text is the same.
    before = estimated_input_tokens(shadow or sent)
    after = estimated_input_tokens(sent)
    input_tokens = counts.input_tokens * before // after if after else counts.input_tokens
    plain = TokenCounts(input_tokens=max(input_tokens, counts.input_tokens), output_tokens=counts.output_tokens)
    price = price_of(plain, prices, None, day)
    return None if price is None else price.dollars
