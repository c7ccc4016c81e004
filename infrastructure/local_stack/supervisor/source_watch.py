"""Notices changes of source files, for `bucatini up --reload`."""

import threading
from collections.abc import Sequence
from pathlib import Path

from watchfiles import PythonFilter, watch


class SourceWatch:
    """Watches folders and files from a thread until `close`."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = places
        self._changed = threading.Event()
        self._stop = threading.Event()
        threading.Thread(target=self._watch, name="source watch", daemon=True).start()

    def changed(self) -> bool:
        """Whether a Python file was changed, added or removed since the last call."""
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def close(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        for _ in watch(*self._places, watch_filter=PythonFilter(), stop_event=self._stop, raise_interrupt=False):
            self._changed.set()
