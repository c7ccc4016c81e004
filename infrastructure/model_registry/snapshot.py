"""`python -m infrastructure.model_registry.snapshot`: writes prices.json anew from the installed `genai-prices`.

For developers: neither the network nor that package is needed where Bucatini runs. It takes two seconds and 60 MB to
import, for the prices of sixteen providers; ours are two.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("prices.json")
PROVIDERS = ("openai", "anthropic")
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
"""All that text in and text out is charged for; searches, sound and pictures aren't asked for."""


def snapshot(today: str) -> dict[str, Any]:
    from genai_prices.data import providers

    return {
        "source": f"genai-prices {version('genai-prices')}, https://github.com/pydantic/genai-prices (MIT)",
        "taken_on": today,
        "models": {
            f"{provider.id}/{model.id}": _model(model)
            for provider in providers
            if provider.id in PROVIDERS
            for model in provider.models
            if not model.deprecated and any(_models_prices(model))
        },
    }


def _model(model: Any) -> dict[str, Any]:
    return {
        "prices": [
            {"from": _start(one.constraint), "rates": _rates(one.prices)} for one in _conditional_prices(model.prices)
        ],
        "variants": [
            {"when": dict(one.when), "from": _start(one.constraint), "rates": _rates(one.prices)}
            for one in model.price_variants or ()
        ],
    }


def _models_prices(model: Any) -> Iterator[dict[str, Any]]:
    return (rates for one in _conditional_prices(model.prices) if (rates := _rates(one.prices)))


def _conditional_prices(prices: Any) -> Iterable[Any]:
    from genai_prices.types import ConditionalPrice

    return prices if isinstance(prices, list) else [ConditionalPrice(constraint=None, prices=prices)]


def _start(constraint: Any) -> str | None:
    if constraint is None:
        return None
    start: str = constraint.start_date.isoformat()  # A price that depends on anything else must not be taken for one.
    return start


def _rates(prices: Any) -> dict[str, Any]:
    found = {name: getattr(prices, name) for name in RATES}
    return {name: _rate(rate) for name, rate in found.items() if rate is not None}


def _rate(rate: Any) -> dict[str, Any]:
    tiers = getattr(rate, "tiers", ())
    base = rate.base if tiers else rate
    return {"base": str(base), "tiers": [[tier.start, str(tier.price)] for tier in tiers]}


if __name__ == "__main__":
    taken = snapshot(datetime.now(UTC).date().isoformat())
    FILE.write_text(json.dumps(taken, indent=1) + "\n", encoding="utf-8")
