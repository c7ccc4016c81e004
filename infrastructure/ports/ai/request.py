"""What a model is asked. Texts and schemas stay out of `repr`, so that no log line or traceback quotes a document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TOKENS_AROUND_A_MESSAGE = 16
MAX_BREAKPOINTS = 4


class Lane(StrEnum):
    """How soon an answer is wanted, and so what it costs."""

    REALTIME = "realtime"
    FLEX = "flex"
    """Slower, at about half of the price, and refused sooner when the provider is busy."""
    BATCH = "batch"
    """Within a day, at half of the price. Submitted in bulk: neither `complete` nor `stream` takes it."""


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Passage:
    text: str = field(repr=False)
    cache_after: bool = False
    """A prompt-cache breakpoint: what the next requests begin with as well ends here. A request has at most four."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    passages: tuple[Passage, ...]


def user(text: str) -> Message:
    return Message(Role.USER, (Passage(text),))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When a call is given up. Each is hard: keep-alives of the provider extend none of them."""

    connect_seconds: float = 5.0
    """Name resolution, TCP and TLS, and a free connection."""
    first_token_seconds: float = 60.0
    """From the start to the first text of a stream. Other calls begin to answer when they are done: set their total to
    what the longest answer may take."""
    idle_seconds: float = 30.0
    """Between two pieces of text, or of the answer."""
    rate_seconds: float = 20.0
    """In so long of waiting for a stream, `min_tokens_a_second` have to come: what trickles is never idle, and never done."""
    min_tokens_a_second: float = 0.5
    """Pieces of text or reasoning, to be exact: a piece has a token or more."""
    total_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of one model. The provider's adapter leaves out what the model refuses, such as a temperature.

    ModelRequest(model="claude-sonnet-5-5", messages=(user("Summarise: ..."),), max_output_tokens=500)
    """

    model: str
    messages: tuple[Message, ...]
    max_output_tokens: int
    system: tuple[Passage, ...] = ()
    temperature: float | None = None
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    """A JSON schema that the text has to meet. The provider enforces it where it can; the text is still to be checked."""
    stop: tuple[str, ...] = field(default=(), repr=False)
    lane: Lane = Lane.REALTIME
    deadlines: Deadlines = Deadlines()

    @property
    def passages(self) -> tuple[Passage, ...]:
        return (*self.system, *(one for message in self.messages for one in message.passages))

    @property
    def breakpoints(self) -> int:
        return sum(one.cache_after for one in self.passages)


def estimated_input_tokens(request: ModelRequest) -> int:
    """Rather more tokens than the request's input has, for those who reserve them: one for each two bytes, where English
    has one for each four and Chinese one for each three. Its schema counts too."""
    size = sum(len(one.text.encode(errors="replace")) for one in request.passages)
    size += len(json.dumps(request.schema)) if request.schema else 0
    return size // 2 + TOKENS_AROUND_A_MESSAGE * (1 + len(request.messages))
