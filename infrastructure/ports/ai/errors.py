"""How a call of a model fails: a closed set of types, each of which says what it concerns.

Messages name the provider, the model and what to do. They never quote a key, a document or a provider's own text.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from infrastructure.ports.ai.response import UNKNOWN_LIMITS, UNKNOWN_USAGE, RateLimits, Usage


class Concern(StrEnum):
    """What has to change before another try can succeed."""

    SERVICE = "service"
    """The provider's model. Counts on its breaker, and another provider may do."""
    KEY = "key"
    """The key that was used. Others' calls of the model are none the worse, so no breaker may count it."""
    REQUEST = "request"
    """The request itself. It fails again wherever it goes, if not for another model's limits."""


class Phase(StrEnum):
    """Which deadline passed."""

    CONNECT = "connect"
    FIRST_TOKEN = "first_token"  # noqa: S105  # a phase, not a secret
    IDLE = "idle"
    RATE = "rate"
    """It wrote, and too slowly."""
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed call."""

    provider: str
    model: str
    status: int | None = None
    """None when there was no HTTP response. In a stream it stays 200, whatever came in it."""
    code: str | None = None
    """The provider's word for the error, such as `overloaded_error`."""
    request_id: str | None = None
    retry_after_seconds: float | None = None
    rate_limits: RateLimits = UNKNOWN_LIMITS
    usage: Usage = UNKNOWN_USAGE
    """The last that a stream reported before it failed."""
    accepted: bool = False
    """The provider had begun to answer: it charges for it, and text may have been passed on. Without it, a call that timed
    out or lost its connection may still be charged for: nobody knows."""
    unsent: bool = False
    """Nothing was sent, so nothing can be charged: no connection was made, or the request wasn't even tried."""
    provider_message: str | None = field(default=None, repr=False)
    """The provider's own text, without what looks like a key, cut at 500 characters. For the tenant who asked, not for
    logs: it may quote the request."""


class ModelError(Exception):
    """A call of a model failed. `error_class` names how, `concerns` says what; `failure` has the rest."""

    error_class: ClassVar[str]
    concerns: ClassVar[Concern]

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message)
        self.failure = failure

    def __reduce__(self) -> tuple[type["ModelError"], tuple[str, Failure]]:
        # An exception is unpickled from its message, and one raised in another process must come back with its failure.
        return type(self), (str(self), self.failure)

    @property
    def counts_on_breaker(self) -> bool:
        return self.concerns is Concern.SERVICE


class Throttled(ModelError):
    """The key's requests come too fast. Slow it down, and wait for `retry_after_seconds`."""

    error_class = "throttle"
    concerns = Concern.KEY


class QuotaExhausted(ModelError):
    """The key's credit or spending limit is used up: waiting doesn't help, somebody has to pay or raise it."""

    error_class = "quota"
    concerns = Concern.KEY


class AuthenticationRefused(ModelError):
    """The key is missing, wrong, revoked, or may not use the model."""

    error_class = "auth"
    concerns = Concern.KEY


class Overloaded(ModelError):
    """The provider failed or has no capacity: 5xx, 529, or the same words in a stream."""

    error_class = "overload"
    concerns = Concern.SERVICE


class TimedOut(ModelError):
    """A deadline passed; `phase` says which."""

    error_class = "timeout"
    concerns = Concern.SERVICE

    def __init__(self, message: str, failure: Failure, phase: Phase) -> None:
        super().__init__(message, failure)
        self.phase = phase

    def __reduce__(self) -> tuple[type["TimedOut"], tuple[str, Failure, Phase]]:  # type: ignore[override]
        # With its phase: see the base.
        return type(self), (str(self), self.failure, self.phase)


class ConnectionFailed(ModelError):
    """No connection was made, or it broke before the response began."""

    error_class = "connection"
    concerns = Concern.SERVICE


class CutShort(ModelError):
    """The response ended without the provider's terminal event, cleanly or not."""

    error_class = "cut_short"
    concerns = Concern.SERVICE


class Malformed(ModelError):
    """The response can't be read: no JSON, not in the provider's form, or larger than any honest one."""

    error_class = "malformed"
    concerns = Concern.SERVICE


class BadRequest(ModelError):
    """The provider, or the model's entry in the registry, doesn't take such a request."""

    error_class = "bad_request"
    concerns = Concern.REQUEST


class ContentRefused(ModelError):
    """The model or a filter refused to write about this. It may have charged for it: see `failure.usage`."""

    error_class = "content_refused"
    concerns = Concern.REQUEST


ERRORS: tuple[type[ModelError], ...] = (
    Throttled,
    QuotaExhausted,
    AuthenticationRefused,
    Overloaded,
    TimedOut,
    ConnectionFailed,
    CutShort,
    Malformed,
    BadRequest,
    ContentRefused,
)
"""All there are."""
