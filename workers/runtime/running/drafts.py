"""The text of a run that hasn't been sent yet."""

import math
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from events.ai import TextWritten
from events.envelope import event_id, job_source
from infrastructure.postgres.jobs.claim import Claimed

MAX_HELD_CHARACTERS = 64_000
"""Of a run. What is beyond that is dropped: its readers get it with the section's end."""


class _Stretch:
    """Text of one section without a gap."""

    __slots__ = ("end", "offset", "parts")

    def __init__(self, offset: int) -> None:
        self.offset = self.end = offset
        self.parts: list[str] = []


class Draft:
    """A run's unsent text, by its section, and who listens to it."""

    __slots__ = (
        "_at",
        "_resets",
        "_sent",
        "characters",
        "claimed",
        "due_at",
        "expects",
        "held",
        "listeners",
        "looked_at",
        "subjects",
        "waits_for_key",
    )

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.subjects = (claimed.id, claimed.tenant_id)
        self.listeners: tuple[UUID, ...] = ()
        self.looked_at = self.due_at = -math.inf
        self.expects = False
        """Text is about to come, and who listens is asked already."""
        self.waits_for_key = False
        self.held: dict[int, _Stretch] = {}
        self.characters = 0
        self._at = claimed.claimed_at
        self._resets: dict[int, int] = {}
        self._sent = 0

    def add(self, section: int, offset: int, text: str, at: datetime) -> None:
        self._at = at
        stretch = self.held.get(section)
        if stretch is None or stretch.end != offset:
            self.drop(section)
            stretch = self.held[section] = _Stretch(offset)
        stretch.parts.append(text)
        stretch.end += len(text)
        self.characters += len(text)
        while self.characters > MAX_HELD_CHARACTERS:
            self.drop(next(iter(self.held)))

    def reset(self, section: int) -> None:
        self.drop(section)
        self._resets[section] = self._resets.get(section, 0) + 1

    def drop(self, section: int) -> None:
        if (stretch := self.held.pop(section, None)) is not None:
            self.characters -= stretch.end - stretch.offset

    def first(self) -> bytes:
        """The oldest section's text as a CloudEvent in JSON."""
        section, stretch = next(iter(self.held.items()))
        claimed = self.claimed
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{event_id(claimed.id, claimed.attempt)}:text:{self._sent}",
            "source": job_source(claimed.id),
            "type": TextWritten.type,
            "subject": str(claimed.id),
            "time": self._at,
            "datacontenttype": "application/json",
            "data": {
                "section": section,
                "offset": stretch.offset,
                "text": "".join(stretch.parts),
                "attempt": claimed.attempt,
                "resets": self._resets.get(section, 0),
            },
        }
        try:
            return orjson.dumps(event, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:  # A lone surrogate, which no reader could take.
            event["data"]["text"] = "".join(stretch.parts).encode("utf-8", "replace").decode()
            return orjson.dumps(event, option=orjson.OPT_UTC_Z)

    def remove_first(self) -> None:
        self.drop(next(iter(self.held)))
        self._sent += 1
