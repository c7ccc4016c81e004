"""The text of a job from its events, without a socket: in order, complete, and each part once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from events.ai.generation import SectionCompleted, SectionReset, TextWritten
from events.envelope import CloudEvent
from events.jobs import JobEvent

BETWEEN_SECTIONS: Final = "\n\n"


class Reset(str):
    """Comes among the pieces of a text where a section is written anew: what came of `section` doesn't count any more.

    It is a text that says so, for whoever only prints the pieces.
    """

    section: int

    def __new__(cls, section: int) -> "Reset":
        made = super().__new__(cls, f"\n\n[section {section + 1} is written anew]\n\n")
        made.section = section
        return made


class _Section:
    def __init__(self, number: int, take: tuple[int, int]) -> None:
        self.number = number
        self.take = take
        """The attempt and the resets in it, of what is known."""
        self.known = ""
        self.complete = False
        self._shown = ""

    def begin(self, take: tuple[int, int]) -> None:
        self.take, self.known = take, ""

    def begin_if_later(self, take: tuple[int, int]) -> None:
        if take > self.take and not self.complete:
            self.begin(take)

    def add(self, offset: int, text: str) -> None:
        # What comes behind a gap is left to the section's end, which has the whole.
        if offset <= len(self.known):
            self.known += text[len(self.known) - offset :]

    def news(self) -> Iterator[str]:
        """What to show next. While a new take says the same as the last one, it is none."""
        if self.known.startswith(self._shown):
            if news := self.known[len(self._shown) :]:
                yield news
        elif self._shown.startswith(self.known) and not self.complete:
            return
        else:
            yield Reset(self.number)
            if self.known:
                yield self.known
        self._shown = self.known


class WrittenText:
    """The pieces to show, from the events of one job. Unless `live`, a section's text is one piece, once it is complete."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._attempt = 0
        self._resets: Counter[int] = Counter()
        """Of each section in this attempt."""
        self._sections: dict[int, _Section] = {}
        self._current = 0
        self._shown: set[int] = set()

    def take(self, event: CloudEvent) -> Iterator[str]:
        data = event.data or {}
        if event.type == TextWritten.type:
            self._add(data)
        elif event.type == SectionCompleted.type:
            section = self._section(data)
            section.known, section.complete = str(data.get("text", "")), True
            if section.number < self._current:
                yield from section.news()
        elif event.type == SectionReset.type:
            section = self._section(data)
            self._resets[section.number] += 1
            section.begin_if_later((self._attempt, self._resets[section.number]))
        elif event.type == JobEvent.STARTED:
            self._begin_attempt(int(data.get("attempt", 0)))
        yield from self._news()

    def rest(self) -> Iterator[str]:
        """What is left when the job has ended: text of sections that were never completed."""
        for number in sorted(self._sections):
            if number >= self._current:
                yield from self._news_of(self._sections[number])

    def _add(self, data: dict[str, Any]) -> None:
        section = self._section(data)
        take = int(data.get("attempt", 0)), int(data.get("resets", 0))
        section.begin_if_later(take)
        if take == section.take and not section.complete:
            section.add(int(data.get("offset", 0)), str(data.get("text", "")))

    def _begin_attempt(self, attempt: int) -> None:
        # A run that didn't count as an attempt is followed by one with the same number.
        self._attempt = attempt
        self._resets.clear()
        for section in self._sections.values():
            if not section.complete:
                section.begin((attempt, 0))

    def _section(self, data: dict[str, Any]) -> _Section:
        number = int(data.get("section", 0))
        if number not in self._sections:
            self._sections[number] = _Section(number, (self._attempt, 0))
        return self._sections[number]

    def _news(self) -> Iterator[str]:
        while (section := self._sections.get(self._current)) is not None:
            if self._live or section.complete:
                yield from self._news_of(section)
            if not section.complete:
                return
            self._current += 1

    def _news_of(self, section: _Section) -> Iterator[str]:
        for piece in section.news():
            if self._shown and section.number not in self._shown:
                yield BETWEEN_SECTIONS
            self._shown.add(section.number)
            yield piece
