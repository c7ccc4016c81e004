"""Keeps the templates of prompts that were just filled: reading them takes four times as long as filling them."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Final

from infrastructure.liquid.environment import BoundedLiquid
from infrastructure.liquid.template import Template
from infrastructure.prompts.digests import written
from schemas.ai.prompts import PromptContent

MAX_CHARACTERS: Final = 300_000
"""Of all templates that are kept: 25 MB once they are read."""
MAX_AGE_SECONDS: Final = 60.0
"""So that what a prompt said doesn't stay in memory long after its tenant's key was thrown away."""


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """Its templates by their pointers, and the environment that they share: one rendering at a time may use it."""

    liquid: BoundedLiquid
    templates: Mapping[str, Template]
    characters: int
    parsed_at: float


class ParsedPrompts:
    """One per process. A prompt that two threads fill at the same time is read twice."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, ParsedPrompt] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def taken(self, content: PromptContent) -> Iterator[ParsedPrompt]:
        """Nobody else has it until the block ends. Raises what `BoundedLiquid.read` does."""
        digest = sha256(written(content).encode()).digest()
        with self._lock:
            self._drop_old()
            parsed = self._kept.pop(digest, None)
        if parsed is None:
            parsed = _parsed(content)
        parsed.liquid.begin()
        try:
            yield parsed
        finally:
            with self._lock:
                self._kept[digest] = parsed
                self._drop_old()

    def _drop_old(self) -> None:
        oldest = time.monotonic() - MAX_AGE_SECONDS
        characters = sum(one.characters for one in self._kept.values())
        for digest, one in list(self._kept.items()):
            if characters > MAX_CHARACTERS or one.parsed_at < oldest:
                del self._kept[digest]
                characters -= one.characters


def _parsed(content: PromptContent) -> ParsedPrompt:
    liquid, sources = BoundedLiquid({}), content.templates()
    templates = {pointer: liquid.read(source) for pointer, source in sources.items()}
    return ParsedPrompt(liquid, templates, sum(map(len, sources.values())), time.monotonic())
