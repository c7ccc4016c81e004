"""Divides a long text at its headings, paragraphs and sentences into parts that a model reads at once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from infrastructure.model_registry.registry import Api, ModelRegistry, ModelSpec
from infrastructure.ports.ai.request import estimated_input_tokens
from infrastructure.ports.ai.sizes import MAX_PART_CHARACTERS, PART_OUTPUT_TOKENS
from workers.ai.documents_in_prompt import BYTES_A_TOKEN
from workers.ai.pipeline.call import ModelCall

MIN_PART_CHARACTERS: Final = 1_000

# The best place to divide comes first. Each pattern ends where the next part begins.
_ENDS: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"\n(?=#{1,6} )|\n\n(?=(?:\d{1,3}\.|§|Art(?:icle|ikel|\.)) )",
        r"\n[ \t]*\n",
        r"\n",
        r"[.!?…][\"'”’»)]{0,2}\s",
        r"\s",
    )
)


@dataclass(frozen=True, slots=True)
class TextPart:
    index: int
    offset: int
    """Of its first code point in the whole text."""
    text: str = field(repr=False)


def parts_of(text: str, max_characters: int) -> tuple[TextPart, ...]:
    """The whole text in order, each part at most so long; divided where its structure is, if that is in a part's second
    half."""
    ends = [*_ends(text, max_characters)]
    starts = [0, *ends[:-1]]
    return tuple(
        TextPart(place, start, text[start:end]) for place, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def _ends(text: str, max_characters: int) -> Iterator[int]:
    start = 0
    while len(text) - start > max_characters:
        start = _end_of_part(text, start, max_characters)
        yield start
    yield len(text)


def _end_of_part(text: str, start: int, max_characters: int) -> int:
    half, limit = start + max_characters // 2, start + max_characters
    for pattern in _ENDS:
        end = max((found.end() for found in pattern.finditer(text, half, limit)), default=half)
        if end > half:
            return end
    return limit


@dataclass(frozen=True, slots=True)
class Size:
    """What the models of a job take at once."""

    part_characters: int
    output_tokens: int
    is_free: bool
    """All of them are on this machine: nothing is paid for."""


def size_for(models: Sequence[str], registry: ModelRegistry, question: ModelCall, text: str) -> Size:
    """For the smallest of the models, since any of them may get the call; all of the text for rules, which overlook nothing.
    `question` is the call without its document."""
    specs = [registry.models[name] for name in models if name in registry.models]
    if all(_is_offline(one, registry) for one in specs):
        output_tokens = min((one.max_output_tokens for one in specs), default=PART_OUTPUT_TOKENS)
        return Size(max(len(text), 1), output_tokens, is_free=True)
    room = min(one.max_input_tokens for one in specs) - estimated_input_tokens(question.request)
    bytes_a_character = -(-len(text.encode(errors="replace")) // max(len(text), 1)) + (0 if text.isascii() else 1)
    characters = min(room * BYTES_A_TOKEN // bytes_a_character, MAX_PART_CHARACTERS)
    return Size(
        max(characters, MIN_PART_CHARACTERS),
        min(PART_OUTPUT_TOKENS, *(one.max_output_tokens for one in specs)),
        is_free=False,
    )


def _is_offline(spec: ModelSpec, registry: ModelRegistry) -> bool:
    return registry.providers[spec.provider].api is Api.OFFLINE
