"""Masks what looks like a secret in log lines. A last defence: code logs ids, never secrets or text."""

import re
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Final
from uuid import UUID

LONGEST_TEXT: Final = 8_000
"""Characters of one value that are logged; what exceeds them is counted."""
_LONGEST_SEARCHED = 2 * LONGEST_TEXT
_MAX_ITEMS = 50
_DEEPEST = 5
_MASK = "***"

Describe = Callable[[BaseException], str]
"""Describes an exception among the fields."""

# Each repetition has an upper bound, so that a hostile line costs time in proportion to its length. The order matters:
# a header's scheme and value go before the plain `name=value` rule, which would take the scheme for the value.
_SECRETS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        _MASK,
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.\-]{1,30}://[^\s:/@'\"]{0,256}:)[^\s'\"]{1,1024}@", re.IGNORECASE), rf"\1{_MASK}@"),
    (
        re.compile(r"(authorization\W{1,8}(?:Bearer|Basic|Digest|ApiKey)\s{1,4})[^\s'\"]{1,4096}", re.IGNORECASE),
        rf"\1{_MASK}",
    ),
    (re.compile(r"\b(Bearer|Basic|Digest|ApiKey)\s{1,4}[\w.~+/=\-:]{8,4096}", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(r"\bbct(r?)_[\w\-.]{1,512}"), rf"bct\1_{_MASK}"),
    (re.compile(r"\bwhsec_[\w+/=\-]{1,512}"), f"whsec_{_MASK}"),
    (re.compile(r"\bsk-[\w\-]{6,512}"), f"sk-{_MASK}"),
    (re.compile(r"\beyJ[\w\-]{8,4096}\.[\w\-]{1,8192}(?:\.[\w\-]{0,4096})?"), _MASK),
    (
        re.compile(
            r"((?:password|passwd|pwd|passphrase|secret|token|api[_\-]?key|access[_\-]?key|authorization|signature|\bsig)"
            r"['\"]?\s{0,4}[=:]\s{0,4}b?)(?:'[^']{1,4096}'|\"[^\"]{1,4096}\""
            r"|(?!Bearer |Basic |Digest |ApiKey )[^\s'\"&,;)}\]]{1,4096})",
            re.IGNORECASE,
        ),
        rf"\1{_MASK}",
    ),
)
_SECRET_NAME = re.compile(
    r"password|passwd|passphrase|secret|token|api[_\-]?key|authorization|cookie|credential|private[_\-]?key",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """The text with every known shape of secret masked, at most `LONGEST_TEXT` characters of it."""
    # Masked before it is shortened: half a URL hides the `@` that shows where its password ends.
    masked = text[:_LONGEST_SEARCHED]
    for pattern, replacement in _SECRETS:
        masked = pattern.sub(replacement, masked)
    if len(text) <= LONGEST_TEXT:
        return masked
    return f"{masked[:LONGEST_TEXT]}… ({len(text)} characters)"


def loggable_fields(fields: Mapping[str, object], describe: Describe, *, depth: int = 0) -> dict[str, object]:
    """The fields as plain JSON, masked and bounded; text in a field that is named like a secret is masked whole."""
    shown: dict[str, object] = {}
    for name, value in fields.items():
        if len(shown) == _MAX_ITEMS:
            shown["…"] = f"{len(fields)} fields"
            break
        # A library's mapping may have other keys than text.
        shown_name = mask(name) if isinstance(name, str) else f"<{type(name).__qualname__}>"
        secret = isinstance(value, (str, bytes)) and _SECRET_NAME.search(shown_name)
        shown[shown_name] = _MASK if secret else _loggable(value, describe, depth + 1)
    return shown


def _loggable(value: object, describe: Describe, depth: int) -> object:
    match value:
        case Enum():
            return _loggable(value.value, describe, depth)
        case None | bool() | float():
            return value
        case int():
            # JSON readers, and the fast writer, know 64 bits.
            return int(value) if -(2**63) <= value < 2**63 else str(value)
        case str():
            return mask(value)
        case UUID() | date() | time() | timedelta() | PurePath():
            return mask(str(value))
        case BaseException():
            return describe(value)
        case Mapping() | list() | tuple() | set() | frozenset() if depth >= _DEEPEST:
            return f"<{type(value).__name__} of {len(value)}>"
        case Mapping():
            return loggable_fields(value, describe, depth=depth)
        case list() | tuple() | set() | frozenset():
            items = [_loggable(item, describe, depth + 1) for item, _ in zip(value, range(_MAX_ITEMS), strict=False)]
            return items if len(value) <= _MAX_ITEMS else [*items, f"… ({len(value)} items)"]
        case _:
            return f"<{type(value).__qualname__}>"
