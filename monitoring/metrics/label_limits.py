"""Bounds the number of a label's values: see `monitoring.metrics.bus`."""

from typing import Final

OTHER: Final = "other"


class LimitedLabel:
    """Keeps the first `limit` values of one label; later ones become "other"."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value
