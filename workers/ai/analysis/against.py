"""Which part of a reference is shown with which part of a text that is too long to be compared at once."""

from dataclasses import dataclass, field
from typing import Final

SNAP_CHARACTERS: Final = 2_000
"""So far on the end of a paragraph, or else of a line, is looked for."""


@dataclass(frozen=True, slots=True)
class Against:
    """A reference beside a text of so many characters."""

    reference: str | None = field(repr=False)
    text_characters: int

    def part(self, offset: int, characters: int) -> tuple[int, str]:
        """What lies at the same share of the reference, and its offset: all of it for the whole text."""
        if self.reference is None:
            return 0, ""
        start, end = self._place(offset), self._place(offset + characters)
        return start, self.reference[start:end]

    def _place(self, offset: int) -> int:
        assert self.reference is not None, "the caller asked"
        length = len(self.reference)
        place = offset * length // max(self.text_characters, 1)
        if place <= 0 or place >= length:
            return min(max(place, 0), length)
        for end in ("\n\n", "\n"):
            found = self.reference.find(end, place, place + SNAP_CHARACTERS)
            if found >= 0:
                return found + len(end)
        return place
