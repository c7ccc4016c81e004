"""Puts one generation in the place of another, and keeps the one before up to date enough to come back.

A generation isn't written twice while both are there. What the one that answers was given since is copied into the other
when it is needed: each document and deletion tells with its sequence whether it came later.
"""

import shutil
from pathlib import Path

from tantivy import Searcher

from infrastructure.ports import Unavailable
from infrastructure.tantivy.errors import tantivy_errors
from infrastructure.tantivy.generations.changes import changes_since, copy, newest_sequence
from infrastructure.tantivy.generations.folder import CURRENT, PREVIOUS, IndexFolder

KNOWN = "known"
"""A file of the previous generation: which one follows it, and up to which of its sequences it knows that one."""


class CatchUp:
    """Brings one generation up to date with another that is still written."""

    def __init__(self, folder: IndexFolder, source: Path, target: Path, *, known: int) -> None:
        self._folder = folder
        self._source = source
        self._target = target
        self._known = known

    def run(self, *, and_all_deletions: bool = False) -> Searcher:
        """Copies what the source has that the target doesn't know yet, and returns the view of it that it copied from. Safe
        to repeat."""
        with tantivy_errors(self._folder.path):
            newest = newest_sequence(self._source)
            searcher = self._folder.open(self._source).searcher()
            if newest > self._known or and_all_deletions:
                changes = changes_since(searcher, self._known, and_all_deletions=and_all_deletions)
                copy(self._folder.open(self._target), self._target, changes)
            self._known = newest
            return searcher


class Return:
    """The way back to the previous generation. `prepare` needs the right to replace generations, `finish` that to write as
    well."""

    def __init__(self, folder: IndexFolder) -> None:
        self._folder = folder
        self._current = folder.linked(CURRENT)
        self._previous = folder.linked(PREVIOUS)
        self._catching_up: CatchUp | None = None

    def prepare(self) -> bool:
        """Brings the previous generation nearly up to date; False when there is none."""
        if self._current is None or self._previous is None:
            return False
        known = _known(self._previous, follower=self._current)
        if known is None:
            return False
        self._catching_up = CatchUp(self._folder, self._current, self._previous, known=known)
        self._catching_up.run()
        return True

    def finish(self) -> str:
        """Its name; from now on it answers, and the one that did so is gone."""
        if self._catching_up is None or self._previous is None or self._current is None:
            raise AssertionError("a way back is prepared before it is gone")
        check_still_current(self._folder, self._current)
        self._catching_up.run()
        self._folder.link(CURRENT, self._previous)
        self._folder.unlink(PREVIOUS)
        self._folder.keep_only(self._previous)
        return self._previous.name


def put_in_place(folder: IndexFolder, generation: Path, replaced: Path | None) -> None:
    """From now on the generation answers. The one it replaces is kept; those before it are removed. Needs the right to
    write."""
    if replaced is not None:
        with tantivy_errors(folder.path):
            (replaced / KNOWN).write_text(f"{generation.name} {newest_sequence(generation)}")
        folder.link(PREVIOUS, replaced)
    folder.link(CURRENT, generation)
    folder.keep_only(generation, replaced)


def check_still_current(folder: IndexFolder, generation: Path | None) -> None:
    if folder.linked(CURRENT) != generation:
        raise Unavailable(f"the search index {folder.path.name} was removed or replaced meanwhile; try again")


def discard(generation: Path) -> None:
    shutil.rmtree(generation, ignore_errors=True)


def _known(previous: Path, *, follower: Path) -> int | None:
    try:
        name, sequence = (previous / KNOWN).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(sequence) if name == follower.name else None
