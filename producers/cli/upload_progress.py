"""How far an upload is: bars in a terminal, lines elsewhere. On stderr, beside the answer."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from producers.cli.output import counted, print_note
from producers.cli.sizes import size

if TYPE_CHECKING:
    from rich.progress import Progress


class UploadProgress(Protocol):
    def sent(self, count: int) -> None:
        """So many bytes more have gone; fewer than zero when they go again."""

    def imported(self, count: int) -> None:
        """So many imports have ended, whatever came of them."""


@contextmanager
def upload_progress(files: int, total_bytes: int) -> Iterator[UploadProgress]:
    if not sys.stderr.isatty():
        lines = _Lines(files, total_bytes)
        yield lines
        lines.print_imported()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    label = TextColumn("{task.description:9}")
    sending = Progress(label, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console)
    importing = Progress(label, BarColumn(), MofNCompleteColumn(), console=console)
    bars = _Bars(sending, importing, files, total_bytes)
    try:
        yield bars
    finally:
        bars.stop()


class _Bars:
    """One after the other: rich draws one live display at a time."""

    def __init__(self, sending: "Progress", importing: "Progress", files: int, total_bytes: int) -> None:
        self._sending, self._importing = sending, importing
        self._sent = sending.add_task("sending", total=total_bytes)
        self._imported = importing.add_task("importing", total=files)
        sending.start()

    def sent(self, count: int) -> None:
        self._sending.advance(self._sent, count)

    def imported(self, count: int) -> None:
        self._sending.stop()
        self._importing.start()
        self._importing.update(self._imported, completed=count)

    def stop(self) -> None:
        self._sending.stop()
        self._importing.stop()


class _Lines:
    def __init__(self, files: int, total_bytes: int) -> None:
        self._files, self._total_bytes = files, total_bytes
        self._sent = self._imported = 0

    def sent(self, count: int) -> None:
        before, self._sent = self._sent, self._sent + count
        if before < self._total_bytes <= self._sent:
            print_note(f"sent {counted(self._files, 'file')}, {size(self._sent)}")

    def imported(self, count: int) -> None:
        self._imported = count

    def print_imported(self) -> None:
        if self._imported:
            print_note(f"{counted(self._imported, 'import')} ended")
