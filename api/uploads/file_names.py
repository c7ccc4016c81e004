"""File names in Content-Disposition (RFC 6266): of what is uploaded, and of what is downloaded."""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

LONGEST_NAME: Final = 255
"""Characters."""

_PARAMETER = re.compile(r';\s*([A-Za-z0-9!#$&+.^_`|~*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, and those that turn the direction of writing, behind which an extension can hide."""
_UNSAFE = re.compile(r'[\\/:*?"<>|%;]')


def parameters_of(header: str) -> tuple[str, dict[str, str]]:
    """A header such as `form-data; name="file"; filename*=UTF-8''a%20b` as its first word and its parameters. An extended
    one (RFC 8187) replaces the plain one of its name."""
    kind, _, _ = header.partition(";")
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(header):
        key = name.lower()
        if key.endswith("*"):
            if (decoded := _decoded(bare.strip())) is not None:
                extended.setdefault(key.removesuffix("*"), decoded)
        else:
            # A browser writes `"` as %22 and leaves backslashes alone: only \" and \\ are escapes.
            plain.setdefault(key, _ESCAPED.sub(r"\1", quoted) if quoted else bare.strip())
    return kind.strip().lower(), plain | extended


def _decoded(value: str) -> str | None:
    charset, _, rest = value.partition("'")
    _, apostrophe, encoded = rest.partition("'")
    if not apostrophe or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    return unquote_to_bytes(encoded).decode(charset, errors="replace")


def kept_name(given: str | None) -> str | None:
    """The file name as it is kept: without folders and unprintable characters, and bounded; None if nothing is left."""
    if given is None:
        return None
    name = _UNPRINTABLE.sub("", re.split(r"[\\/]", given)[-1]).strip().strip(".").strip()
    if len(name) <= LONGEST_NAME:
        return name or None
    stem, dot, extension = name.rpartition(".")
    ending = dot + extension if dot and len(extension) <= 10 else ""
    return (stem or name)[: LONGEST_NAME - len(ending)] + ending


def attachment(name: str) -> bytes:
    """The value of Content-Disposition that saves a download under this name: a plain one for old readers, and the whole
    name as RFC 8187 writes it."""
    safe = _UNSAFE.sub("_", _UNPRINTABLE.sub("", name)).strip(" .") or "document"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    value = f'attachment; filename="{plain}"'
    return (value if plain == safe else f"{value}; filename*=UTF-8''{quote(safe, safe='')}").encode()
