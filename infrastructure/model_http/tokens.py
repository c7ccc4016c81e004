"""Usage read from providers' numbers, which may be missing, negative or no numbers at all."""

from collections.abc import Mapping
from typing import Any

from infrastructure.ports.ai.response import TokenCounts

MAX_TOKENS = 10**9


class Unreadable(Exception):
    """A number that is needed isn't there or can't be one."""


def count(usage: Mapping[str, Any], *path: str) -> int:
    """The number at the end of the path. Unreadable when it isn't one."""
    found = optional_count(usage, *path)
    if found is None:
        raise Unreadable(".".join(path))
    return found


def optional_count(usage: Mapping[str, Any], *path: str) -> int | None:
    """The same; None when the provider leaves it out."""
    found: Any = usage
    for name in path:
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise Unreadable(".".join(path))
        found = found.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_TOKENS:
        raise Unreadable(".".join(path))
    return found


def plausible(counts: TokenCounts) -> TokenCounts:
    """The counts. Unreadable when a part is larger than its whole: a price made of that would be wrong, and no one's."""
    parts_fit = counts.cache_read_tokens + counts.cache_write_tokens <= counts.input_tokens
    if not parts_fit or counts.cache_write_1h_tokens > counts.cache_write_tokens:
        raise Unreadable("parts of the input")
    if counts.reasoning_tokens > counts.output_tokens:
        raise Unreadable("parts of the output")
    return counts
