"""What a simulated provider allows each key: minute by minute, with its rate headers, and its prompt cache."""

import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infrastructure.simulator.asked import Asked, Provider, Used

MAX_KEYS = 10_000
MAX_CACHED = 10_000
MIN_CACHED_TOKENS = 1_024
MINUTE_SECONDS = 60.0
PerMinute = Annotated[int, Field(ge=1, le=10**12)]


class Limits(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: PerMinute = 1_000_000
    input_tokens: PerMinute = 1_000_000_000
    output_tokens: PerMinute = 1_000_000_000


@dataclass(slots=True)
class _Minute:
    began_at: float
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What a key has left, and in how many seconds it has all again."""

    limits: Limits
    requests: int
    input_tokens: int
    output_tokens: int
    seconds: float
    exceeded: bool

    def headers(self, provider: Provider) -> dict[str, str]:
        return self._openai() if provider is Provider.OPENAI else self._anthropic()

    def _openai(self) -> dict[str, str]:
        reset = f"{int(self.seconds // 60)}m{self.seconds % 60:.3f}s" if self.seconds >= 60 else f"{self.seconds:.3f}s"
        tokens = self.limits.input_tokens + self.limits.output_tokens
        return {
            "x-ratelimit-limit-requests": str(self.limits.requests),
            "x-ratelimit-remaining-requests": str(self.requests),
            "x-ratelimit-reset-requests": reset,
            "x-ratelimit-limit-tokens": str(tokens),
            "x-ratelimit-remaining-tokens": str(self.input_tokens + self.output_tokens),
            "x-ratelimit-reset-tokens": reset,
        }

    def _anthropic(self) -> dict[str, str]:
        now = datetime.now(UTC)  # As a provider has it: its headers name a time.
        reset = (now + timedelta(seconds=math.ceil(self.seconds))).replace(microsecond=0).isoformat()
        kinds = {"requests": (self.limits.requests, self.requests)}
        kinds["input-tokens"] = (self.limits.input_tokens, _rounded(self.input_tokens))
        kinds["output-tokens"] = (self.limits.output_tokens, _rounded(self.output_tokens))
        headers: dict[str, str] = {}
        for kind, (limit, remaining) in kinds.items():
            headers[f"anthropic-ratelimit-{kind}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{kind}-remaining"] = str(remaining)
            headers[f"anthropic-ratelimit-{kind}-reset"] = reset.replace("+00:00", "Z")
        return headers


@dataclass(slots=True)
class Quotas:
    limits: Limits = field(default_factory=Limits)
    _minutes: OrderedDict[str, _Minute] = field(default_factory=OrderedDict)

    def take(self, key: str, asked: Asked) -> Left:
        """Counts the request, unless it exceeds a limit."""
        now = time.monotonic()
        minute = self._minutes.get(key)
        if minute is None or now - minute.began_at >= MINUTE_SECONDS:
            minute = self._minutes[key] = _Minute(now)
            while len(self._minutes) > MAX_KEYS:
                self._minutes.popitem(last=False)
        wanted = (1, asked.input_tokens, asked.max_tokens)
        used = (minute.requests, minute.input_tokens, minute.output_tokens)
        limits = (self.limits.requests, self.limits.input_tokens, self.limits.output_tokens)
        exceeded = any(more + had > limit for more, had, limit in zip(wanted, used, limits, strict=True))
        if not exceeded:
            minute.requests, minute.input_tokens, minute.output_tokens = (
                had + more for had, more in zip(used, wanted, strict=True)
            )
        return Left(
            self.limits,
            max(self.limits.requests - minute.requests, 0),
            max(self.limits.input_tokens - minute.input_tokens, 0),
            max(self.limits.output_tokens - minute.output_tokens, 0),
            MINUTE_SECONDS - (now - minute.began_at),
            exceeded,
        )


class PromptCache:
    """Knows which beginnings of prompts a key has sent before, up to a breakpoint."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def used(self, key: str, asked: Asked) -> Used:
        """The input's tokens; the longest known beginning is read, and what was new up to the last breakpoint written."""
        digest = hashlib.sha256(f"{key}\n{asked.model}".encode())
        tokens = read = written_up_to = 0
        for part in asked.parts:
            digest.update(part.text.encode())
            tokens += part.tokens
            if not part.cached or tokens < MIN_CACHED_TOKENS:
                continue
            name = digest.hexdigest()
            if name in self._known:
                read = tokens
            self._remember(name)
            written_up_to = tokens
        return Used(tokens, 0, cache_read_tokens=read, cache_write_tokens=max(written_up_to - read, 0))

    def clear(self) -> None:
        self._known.clear()

    def _remember(self, name: str) -> None:
        self._known[name] = None
        self._known.move_to_end(name)
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)


def _rounded(tokens: int) -> int:
    return round(tokens, -3)
