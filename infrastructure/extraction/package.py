"""Reads the files inside a ZIP, counting what they unpack to while they do."""

import io
import zipfile
import zlib
from typing import IO

from infrastructure.extraction.limits import MIB, ExtractionLimits
from infrastructure.extraction.refusal import Refusal, damaged, password_protected
from infrastructure.ports.extraction import Reason

ENCRYPTED = 0x1
RATIO_COUNTS_FROM = 10 * MIB
"""Below it a high ratio harms nobody, and tables of equal cells have it honestly."""
READ_BYTES = 64 * 1024


class Package:
    """A document that is a ZIP of files. What a directory says of sizes is not believed."""

    def __init__(self, content: bytes, limits: ExtractionLimits) -> None:
        """Refusal when it isn't a readable ZIP."""
        self._limits = limits
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
            raise damaged("Its ZIP directory is missing or cut off: upload the whole file again.") from None
        self.names = frozenset(self._zip.namelist())
        if len(self._zip.infolist()) > limits.package_entries:
            raise _too_far(f"it has more than {limits.package_entries:,} files inside")

    def read(self, name: str) -> bytes:
        """All of a file inside. Refusal when it is missing, damaged, encrypted, or too large."""
        with self.open(name) as stream:
            return stream.read()

    def read_if_there(self, name: str) -> bytes | None:
        return self.read(name) if name in self.names else None

    def open(self, name: str) -> IO[bytes]:
        """A stream of a file inside; reading it refuses as `read` does."""
        try:
            entry = self._zip.getinfo(name)
        except KeyError:
            raise damaged("A part that every document of this format has is missing.") from None
        if entry.flag_bits & ENCRYPTED:
            raise password_protected()
        try:
            return io.BufferedReader(_CountedStream(self, self._zip.open(entry), entry.compress_size), READ_BYTES)  # type: ignore[type-var]  # RawIOBase it is
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
            raise damaged("A part of it can't be unpacked: upload the whole file again.") from None

    def count(self, more: int, of_entry: int, packed: int) -> None:
        """Counts bytes as they are unpacked."""
        limits = self._limits
        self._unpacked += more
        if of_entry > limits.entry_bytes:
            raise _too_far(f"a part of it unpacks to more than {limits.entry_bytes // MIB:,} MiB")
        if self._unpacked > limits.unpacked_bytes:
            raise _too_far(f"it unpacks to more than {limits.unpacked_bytes // MIB:,} MiB")
        if of_entry > RATIO_COUNTS_FROM and of_entry > packed * limits.unpacked_ratio:
            raise _too_far(f"a part of it unpacks to more than {limits.unpacked_ratio:,} times its size")


class _CountedStream(io.RawIOBase):
    def __init__(self, package: Package, stream: IO[bytes], packed: int) -> None:
        self._package = package
        self._stream = stream
        self._packed = packed
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # what BufferedReader gives
        try:
            data = self._stream.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
            raise damaged("A part of it can't be unpacked: upload the whole file again.") from None
        self._unpacked += len(data)
        self._package.count(len(data), self._unpacked, self._packed)
        buffer[: len(data)] = data
        return len(data)


def _too_far(what: str) -> Refusal:
    return Refusal(Reason.EXPANDS_TOO_FAR, f"It was refused because {what}.")
