"""Finds in a text what a model quotes from it."""

import re
from collections.abc import Iterator
from typing import Final

from events.ai import Quote

MAX_QUOTE_CHARACTERS: Final = 5_000
MAX_PLACES: Final = 50
"""Looked at for one that is no part of a longer word."""
MAX_LOOSE: Final = 300
"""Quotes of one answer that don't stand in the text as they are written: each of those is looked for more slowly."""
_ALIKE: Final = ('"“”„‟«»″', "'’‘‚‛′`", "-‐‑‒–—−")
"""Marks that models write for one another."""


class Passages:
    """A text in which quotes are looked for. Offsets count its code points."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._loose_left = MAX_LOOSE

    def find(self, written: str | None, after: int = 0) -> Quote | None:
        """Where the text has it: as it is written, or else with other blanks between its words and other quotation marks.
        The first place from `after` on, or else from the beginning; one inside of a longer word only if there is no other.
        None when the text doesn't have it."""
        wanted = (written or "").strip()
        if not wanted or len(wanted) > MAX_QUOTE_CHARACTERS:
            return None
        place = self._exactly(wanted, after)
        if place is None and after:
            place = self._exactly(wanted, 0)
        return self._loosely(wanted) if place is None else Quote(text=wanted, offset=place)

    def in_order(self, written: Iterator[str]) -> Iterator[Quote | None]:
        """Quotes that are given in the order of the text, where the same words may come again."""
        after = 0
        for one in written:
            found = self.find(one, after)
            if found is not None:
                after = found.offset + len(found.text)
            yield found

    def _exactly(self, wanted: str, after: int) -> int | None:
        place = first = self._text.find(wanted, after)
        for _ in range(MAX_PLACES):
            if place < 0:
                break
            if self._is_whole(place, place + len(wanted)):
                return place
            place = self._text.find(wanted, place + 1)
        return None if first < 0 else first

    def _is_whole(self, start: int, end: int) -> bool:
        text = self._text
        begins = start == 0 or not (text[start].isalnum() and text[start - 1].isalnum())
        return begins and (end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()))

    def _loosely(self, wanted: str) -> Quote | None:
        if self._loose_left == 0:
            return None
        self._loose_left -= 1
        words = wanted.split()
        found = re.search(r"\s+".join("".join(map(_alike, word)) for word in words), self._text)
        return Quote(text=found.group(), offset=found.start()) if found else None


def _alike(character: str) -> str:
    marks = next((one for one in _ALIKE if character in one), None)
    return re.escape(character) if marks is None else f"[{re.escape(marks)}]"


def one_line(text: str) -> str:
    return " ".join(text.split())
