"""Every attempt that the simulated providers saw, and what they charge for it: kept apart from anything of ours that is
compared with it."""

import hashlib
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

MAX_ATTEMPTS = 50_000
MAX_SERIES = 10_000
MAX_PARAMETERS_LENGTH = 5_000
MILLION = 1_000_000

DOLLARS_FOR_A_MILLION: dict[str, tuple[str, str, str, str]] = {
    # input, output, cache read, cache write; as the providers' price lists say
    "gpt-6-luna": ("0.1", "0.5", "0.01", "0.125"),
    "gpt-6.1-terra": ("1", "5", "0.05", "1.25"),
    "gpt-6.1-sol": ("2", "10", "0.1", "2.5"),
    "claude-haiku-5-5": ("0.1", "0.5", "0.01", "0.125"),
    "claude-sonnet-5-5": ("2", "10", "0.1", "2.5"),
    "claude-opus-5-5": ("4", "20", "0.2", "5"),
}
HALF_PRICED_TIERS = frozenset({"flex", "batch"})


class Ending(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    """With an HTTP error, before the model wrote anything: nothing is charged."""
    FAILED = "failed"
    """After it had begun to write: that is charged."""
    ABORTED = "aborted"
    """The client left: what was written until then is charged."""


@dataclass(slots=True)
class Attempt:
    number: int
    seconds: float
    """When it came, since the simulator's start."""
    provider: str
    model: str
    key: str
    """Its fingerprint."""
    path: str
    stream: bool
    tier: str
    request_id: str
    retry: str
    """What the SDK says of its own retries: 0 for none."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The request's body without texts and schemas."""
    fault: str | None = None
    status: int | None = None
    ending: Ending = Ending.RUNNING
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: str = "0"
    first_token_at: float | None = None
    """By the machine's monotonic clock, which its other processes have as well."""


@dataclass(slots=True)
class Series:
    """One model, key and tier in the ledger."""

    attempts: int = 0
    charged: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: Decimal = Decimal(0)


class Journal:
    """The last 50,000 attempts, and the ledger of all."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()
        self._attempts: deque[Attempt] = deque(maxlen=MAX_ATTEMPTS)
        self._ledger: dict[tuple[str, str, str, str], Series] = {}
        self._seen = 0

    def begin(self, *, provider: str, model: str, key: str, path: str, stream: bool, tier: str, retry: str) -> Attempt:
        self._seen += 1
        seconds = round(time.monotonic() - self._started_at, 4)
        request_id = f"req_sim_{self._seen:08}"
        attempt = Attempt(self._seen, seconds, provider, model, key, path, stream, tier, request_id, retry)
        self._attempts.append(attempt)
        return attempt

    def end(self, attempt: Attempt, ending: Ending) -> None:
        """Charges what was used. Only an attempt's first end counts."""
        if attempt.ending is not Ending.RUNNING:
            return
        attempt.ending = ending
        charge = Decimal(0) if ending is Ending.REFUSED else charge_for(attempt)
        attempt.dollars = str(charge)
        series = self._series_of(attempt)
        series.attempts += 1
        if ending is not Ending.REFUSED:
            series.charged += 1
            series.input_tokens += attempt.input_tokens
            series.output_tokens += attempt.output_tokens
            series.cache_read_tokens += attempt.cache_read_tokens
            series.cache_write_tokens += attempt.cache_write_tokens
            series.dollars += charge

    def attempts(self, after: int, limit: int) -> list[dict[str, Any]]:
        return [asdict(one) for one in islice((one for one in self._attempts if one.number > after), limit)]

    def ledger(self) -> dict[str, Any]:
        """Sums by provider, model, key and tier, and the whole; dollars as text, exact."""
        series = [
            {
                **dict(zip(("provider", "model", "key", "tier"), name, strict=True)),
                **asdict(one),
                "dollars": str(one.dollars),
            }
            for name, one in self._ledger.items()
        ]
        total = sum((one.dollars for one in self._ledger.values()), Decimal(0))
        running = sum(one.ending is Ending.RUNNING for one in self._attempts)
        return {"attempts": self._seen, "running": running, "dollars": str(total), "series": series}

    def clear(self) -> None:
        self._attempts.clear()
        self._ledger.clear()
        self._seen = 0

    def _series_of(self, attempt: Attempt) -> Series:
        name = (attempt.provider, attempt.model, attempt.key, attempt.tier)
        if name not in self._ledger and len(self._ledger) >= MAX_SERIES:
            name = (attempt.provider, attempt.model, "others", attempt.tier)
        return self._ledger.setdefault(name, Series())


def charge_for(attempt: Attempt) -> Decimal:
    """Zero for a model that has no price here, such as one of a compatible server."""
    prices = DOLLARS_FOR_A_MILLION.get(attempt.model)
    if prices is None:
        return Decimal(0)
    base, output, read, write = map(Decimal, prices)
    fresh = attempt.input_tokens - attempt.cache_read_tokens - attempt.cache_write_tokens
    whole = (
        base * fresh
        + output * attempt.output_tokens
        + read * attempt.cache_read_tokens
        + write * attempt.cache_write_tokens
    ) / MILLION
    return whole / 2 if attempt.tier in HALF_PRICED_TIERS else whole


def fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
