"""Makes a call cheaper without changing what is asked: says nothing twice, and begins with what the next calls begin with."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Message, ModelRequest, Passage, Role
from workers.ai.documents_in_prompt import BLOCK_START
from workers.ai.pipeline.call import ModelCall, ModelReply, Next

MIN_REPEATED_CHARACTERS: Final = 80
"""Shorter paragraphs stay, also when they are repeated: a heading, or a row of a table, means something at its place."""
MIN_CACHED_BYTES: Final = 4_500
"""Providers keep nothing shorter than 1,024 tokens. English has four to five bytes a token."""
AS_ABOVE: Final = "(The same as above.)"
COMPLETE: Final = frozenset({Purpose.EXTRACT, Purpose.REPAIR, Purpose.COMPARE})
"""For these each mention counts, so nothing is removed."""


async def optimiser(call: ModelCall, call_next: Next) -> ModelReply:
    """Passes on the optimised call, with what it would have been as its `shadow`."""
    optimised = optimised_request(call.request, call.purpose, call.calls_alike)
    return await call_next(replace(call, request=optimised, shadow=call.request))


def optimised_request(request: ModelRequest, purpose: Purpose, calls_alike: int) -> ModelRequest:
    messages = tuple(_static_first(message) for message in request.messages)
    if purpose not in COMPLETE:
        messages = _without_repeats(messages)
    if calls_alike < 2:
        # Writing to a provider's cache costs a quarter more, which one call alone would never get back.
        return _without_breakpoints(replace(request, messages=messages))
    return _with_breakpoints(replace(request, messages=messages))


def _static_first(message: Message) -> Message:
    """Documents before instructions: a prompt cache knows a request by what it begins with."""
    if message.role is not Role.USER:
        return message
    ordered = sorted(message.passages, key=lambda one: not is_documents(one))
    return replace(message, passages=tuple(ordered))


def is_documents(passage: Passage) -> bool:
    return passage.text.startswith(BLOCK_START)


def _without_repeats(messages: Sequence[Message]) -> tuple[Message, ...]:
    seen: set[str] = set()
    return tuple(
        replace(
            message,
            passages=tuple(
                replace(one, text=_once(one.text, seen)) if is_documents(one) else one for one in message.passages
            ),
        )
        for message in messages
    )


_BETWEEN = re.compile(r"(\n\s*\n|^<document [^\n]*\n|\n</document>$)", re.MULTILINE)


def _once(text: str, seen: set[str]) -> str:
    """The text without paragraphs that an earlier one, of any document of the call, repeats word for word."""
    parts = _BETWEEN.split(text)
    for place, part in enumerate(parts):
        words = " ".join(part.split())
        if len(words) < MIN_REPEATED_CHARACTERS or part.startswith(BLOCK_START):
            continue
        if words in seen:
            parts[place] = AS_ABOVE
        seen.add(words)
    return "".join(parts)


def _without_breakpoints(request: ModelRequest) -> ModelRequest:
    def unmarked(passages: Sequence[Passage]) -> tuple[Passage, ...]:
        return tuple(replace(one, cache_after=False) for one in passages)

    messages = tuple(replace(one, passages=unmarked(one.passages)) for one in request.messages)
    return replace(request, system=unmarked(request.system), messages=messages)


def _with_breakpoints(request: ModelRequest) -> ModelRequest:
    """A breakpoint after the system's passages, which other jobs have as well, and one after the documents."""
    before = 0
    system, before = _marked(request.system, before)
    if not request.messages:
        return replace(request, system=system)
    first, *rest = request.messages
    documents = [one for one in first.passages if is_documents(one)]
    others = first.passages[len(documents) :]
    marked, _ = _marked(documents, before)
    return replace(request, system=system, messages=(replace(first, passages=(*marked, *others)), *rest))


def _marked(passages: Sequence[Passage], before: int) -> tuple[tuple[Passage, ...], int]:
    """The passages with a breakpoint after the last, if it is worth one; and how many bytes end there."""
    end = before + sum(len(one.text.encode(errors="replace")) for one in passages)
    if not passages or end < MIN_CACHED_BYTES:
        return tuple(passages), end
    return (*passages[:-1], replace(passages[-1], cache_after=True)), end
