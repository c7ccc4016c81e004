"""What a request asks for, whatever its wire format."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infrastructure.simulator.writing import tokens_in


class Provider(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class BadBody(Exception):
    """The provider would refuse it with 400, or 404 for an unknown model; the message says why."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Part:
    text: str
    cached: bool
    """A prompt-cache breakpoint follows."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    provider: Provider
    model: str
    parts: tuple[Part, ...]
    max_tokens: int
    schema: Mapping[str, Any] | None
    stream: bool
    tier: str
    stop: tuple[str, ...] = ()
    usage_in_stream: bool = True
    """A stream of chat completions reports its usage only when it was asked to."""

    @property
    def input_tokens(self) -> int:
        return sum(part.tokens for part in self.parts)

    @property
    def prompt(self) -> str:
        return "\n".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Used:
    """The tokens of one answer. `input_tokens` has all of the input, with what the cache gave and took."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


def part(text: str, *, cached: bool = False) -> Part:
    return Part(text, cached, tokens_in(text))


def parts_of(content: object) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (part(content),)
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in content):
        raise BadBody("content: must be text or a list of parts")
    if not all(isinstance(one.get("text"), str) for one in content):
        raise BadBody("content: each part needs a text")
    return tuple(
        part(one["text"], cached=bool(one.get("cache_control") or one.get("prompt_cache_breakpoint")))
        for one in content
    )


def whole_number(body: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadBody(f"{name}: must be a positive number")
    return value


def messages_in(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = body.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, Mapping) for one in found):
        raise BadBody(f"{name}: must be a list of messages")
    return found
