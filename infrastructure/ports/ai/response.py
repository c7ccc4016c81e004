"""What a model answered, and what it used for that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FinishReason(StrEnum):
    STOP = "stop"
    """The model was done, or came to a stop sequence."""
    MAX_TOKENS = "max_tokens"
    """Cut at `max_output_tokens`, or at the end of the context: the text is only a beginning."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What is paid for, in one meaning for all providers."""

    input_tokens: int
    """All of the input, with what was read from and written to the prompt cache."""
    output_tokens: int
    """All of the output, reasoning included."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """All that was written, also for an hour."""
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    raw: Mapping[str, Any]
    """As the provider sent it, word for word; empty if it sent none."""
    counts: TokenCounts | None
    """None when the raw usage is missing or can't be: then the call has a price, and nobody knows it."""


UNKNOWN_USAGE = Usage({}, None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One of a provider's limits, as its headers say. None where they don't."""

    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None
    """Until all of it is there again, counted from the response."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What is left to the key. A provider that counts input and output together says `tokens`."""

    requests: Allowance | None = None
    tokens: Allowance | None = None
    input_tokens: Allowance | None = None
    output_tokens: Allowance | None = None


UNKNOWN_LIMITS = RateLimits()


@dataclass(frozen=True, slots=True)
class ModelResponse:
    provider: str
    model: str
    """As it was asked for."""
    served_model: str
    """As the provider names it, usually with its snapshot's date."""
    text: str = field(repr=False)
    finish_reason: FinishReason
    usage: Usage
    served_tier: str | None
    """The service tier in the provider's word, which may differ from the lane that was asked for."""
    request_id: str | None
    rate_limits: RateLimits = UNKNOWN_LIMITS


@dataclass(frozen=True, slots=True)
class Started:
    """The provider took the request: from here on it may charge for it."""

    request_id: str | None
    rate_limits: RateLimits


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What was used up to here. A stream that fails later is still charged for it."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider's own terminal event came: only now the call succeeded."""

    response: ModelResponse


ModelEvent = Started | TextDelta | UsageReported | Finished


@dataclass(frozen=True, slots=True)
class Health:
    """What a free call showed. `error` is None when the provider answered as it should."""

    seconds: float
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        return self.error is None
