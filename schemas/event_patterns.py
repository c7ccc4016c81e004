"""Patterns that match event types, with `*` and `?` as in file names."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Annotated

from pydantic import Field

EventPattern = Annotated[str, Field(pattern=r"^[a-z0-9_.*?-]{1,100}$", examples=["search.*"])]
EventPatterns = Annotated[tuple[EventPattern, ...], Field(min_length=1, max_length=20)]


def matches(pattern: str, kind: str) -> bool:
    return pattern == "*" or _matches(pattern, kind)


def matches_any(patterns: Iterable[str], kind: str) -> bool:
    return any(matches(pattern, kind) for pattern in patterns)


@lru_cache(maxsize=4_096)
def _matches(pattern: str, kind: str) -> bool:
    return re.fullmatch(translate(pattern), kind) is not None
