"""Range requests (RFC 9110, section 14): which bytes of a content a client asks for."""

import re
from dataclasses import dataclass

from api.http import document_problems

LONGEST_RANGE = 100
"""Characters of the header. A longer one asks for many ranges, or is nonsense."""

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t,]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, and without, `end`."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.start

    def content_range(self, size_bytes: int) -> bytes:
        return b"bytes %d-%d/%d" % (self.start, self.end - 1, size_bytes)


def wanted_range(given: str | None, if_range: str | None, etag: str, size_bytes: int) -> ByteRange | None:
    """The bytes asked for; None for all of them. Raises a Refusal (416) when none of them exist.

    A malformed header is ignored, as is one with several ranges, and one whose `If-Range` names another state of the
    content: then the whole is served (sections 14.2 and 13.1.5). `If-Range` with a date never holds, since a date
    can't tell two states of one second apart.
    """
    if given is None or len(given) > LONGEST_RANGE or (if_range is not None and if_range.strip() != etag):
        return None
    found = _RANGE.fullmatch(given.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(first) > int(last):
        return None
    wanted = _clipped(first, last, size_bytes)
    if wanted.start >= wanted.end:
        raise document_problems.range_not_satisfiable(size_bytes)
    return wanted


def _clipped(first: str, last: str, size_bytes: int) -> ByteRange:
    if not first:
        return ByteRange(max(0, size_bytes - int(last)), size_bytes)
    return ByteRange(int(first), min(size_bytes, int(last) + 1) if last else size_bytes)
