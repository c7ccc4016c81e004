"""What may be scripted to go wrong, and for whom."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infrastructure.simulator.asked import Asked
from infrastructure.simulator.journal import fingerprint

MAX_SCRIPTED = 1_000


class FaultKind(StrEnum):
    """Beside what it does: does a stream show it after some text?"""

    THROTTLE = "throttle"
    """429, too fast."""
    QUOTA = "quota"
    """429, the credit is used up."""
    OVERLOAD = "overload"
    """529, or 503 at OpenAI's."""
    SERVER_ERROR = "server_error"
    """500."""
    AUTH = "auth"
    """401, as for a revoked key."""
    BAD_REQUEST = "bad_request"
    REDIRECT = "redirect"
    """307 to an address where nobody listens."""
    HANG = "hang"
    """The request is taken, and never answered."""
    SLOW = "slow"
    """The answer begins after `seconds`."""
    FIRST_TOKEN_STALL = "first_token_stall"  # noqa: S105  # a fault, not a secret
    """The response begins, with keep-alives and without text, for `seconds`."""
    TRICKLE = "trickle"
    """A token every `seconds`."""
    STALL = "stall"
    """No more text after `after_tokens`, for `seconds`, though keep-alives come."""
    ERROR_IN_STREAM = "error_in_stream"
    """An error event after `after_tokens`. A call that isn't streamed gets 500."""
    CLEAN_CUT = "clean_cut"
    """The stream ends after `after_tokens` as if it were complete, without the terminal event."""
    CHUNKED_CUT = "chunked_cut"
    """The connection is closed in the middle of the response."""
    MALFORMED = "malformed"
    """JSON that is none."""
    WRONG_USAGE = "wrong_usage"
    """Numbers that can't be."""
    MISSING_USAGE = "missing_usage"
    MISSING_HEADERS = "missing_headers"
    """Neither request id nor rate limits."""
    DECLINE = "decline"
    """The model refuses to write about it."""
    BATCH_EXPIRED = "batch_expired"
    """A request in a batch isn't answered within its day."""
    ANSWER = "answer"
    """No fault: the model writes `text`."""
    ECHO = "echo"
    """No fault: the model writes what it was asked, all of it."""


class Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    model: Annotated[str, Field(max_length=200)] = "*"
    provider: Annotated[str, Field(pattern=r"^(\*|openai|anthropic)$")] = "*"
    key: Annotated[str, Field(max_length=500)] = "*"
    """Only for requests with this key."""
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = 1
    """How many requests meet it; null for all."""
    after_tokens: Annotated[int, Field(ge=0, le=100_000)] = 3
    seconds: Annotated[float, Field(ge=0, le=3_600)] = 30.0
    retry_after_seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    text: Annotated[str, Field(max_length=1_000_000)] = ""

    def meets(self, asked: Asked, key_fingerprint: str) -> bool:
        return (
            self.model in ("*", asked.model)
            and self.provider in ("*", asked.provider)
            and (self.key == "*" or fingerprint(self.key) == key_fingerprint)
        )


class TooManyFaults(Exception):
    """There is room for 1,000."""


class FaultScript:
    """The faults to come, first scripted first."""

    def __init__(self) -> None:
        self._scripted: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        if len(self._scripted) >= MAX_SCRIPTED:
            raise TooManyFaults(f"{MAX_SCRIPTED} faults are scripted: DELETE /control/faults removes them")
        self._scripted.append((fault, fault.times))

    def clear(self) -> None:
        self._scripted.clear()

    def listed(self) -> list[dict[str, object]]:
        return [{**fault.model_dump(exclude={"key", "text"}), "left": left} for fault, left in self._scripted]

    def next_for(self, asked: Asked, key_fingerprint: str) -> Fault | None:
        """The fault that this request meets; it has one time less then."""
        for place, (fault, left) in enumerate(self._scripted):
            if not fault.meets(asked, key_fingerprint):
                continue
            if left == 1:
                del self._scripted[place]
            elif left is not None:
                self._scripted[place] = (fault, left - 1)
            return fault
        return None
