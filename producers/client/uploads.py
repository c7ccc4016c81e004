"""What is uploaded: where it is read from, and whether it can be read again."""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO, Final, Protocol

from producers.client.errors import SourceUnreadable

OCTETS: Final = "application/octet-stream"

Progress = Callable[[int], None]
"""Called with the number of bytes that have gone on their way since the last call; a negative one when all are sent again."""


class Readable(Protocol):
    """A stream of bytes: an open file, a pipe, a response."""

    def read(self, size: int = -1, /) -> bytes: ...


Source = os.PathLike[str] | bytes | Readable | str
"""A file's path, a content, or a stream, which is read from where it stands; a `str` is the text itself."""


class Upload:
    """A source as httpx reads files: as often as it is sent, if it can be read again. A path is opened when it is read."""

    def __init__(
        self, source: Source, file_name: str | None, media_type: str | None, progress: Progress | None
    ) -> None:
        """SourceUnreadable for a file that can't be."""
        self.source = source
        self.file_name = file_name or _name_of(source)
        self.media_type = media_type or ("text/plain; charset=utf-8" if isinstance(source, str) else None)
        self._progress = progress
        self._file: Readable | None = None
        self._opened_here: BinaryIO | None = None
        self._start = 0
        self._read_bytes = 0
        self._size_bytes = self._measured()

    @property
    def repeatable(self) -> bool:
        return self._size_bytes is not None

    @property
    def spent(self) -> bool:
        """Whether some of it was read, and can't be again."""
        return not self.repeatable and self._read_bytes > 0

    def read(self, size: int = -1) -> bytes:
        try:
            if self._file is None:
                self._file = self._opened()
            chunk = self._file.read(size)
        except (OSError, ValueError) as error:  # ValueError: it was closed.
            raise SourceUnreadable(f"{self.file_name or 'the stream'} can't be read: {error}") from error
        if not chunk:
            self.close()
        self._advance(len(chunk))
        return chunk

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Only what httpx does: to the end for the length, and back to the beginning."""
        if self._size_bytes is None:
            raise io.UnsupportedOperation
        if whence == os.SEEK_END:
            return self._size_bytes
        self.close()
        if self._read_bytes:
            self._advance(-self._read_bytes)
        return offset

    def tell(self) -> int:
        if self._size_bytes is None:
            raise io.UnsupportedOperation
        return 0

    def close(self) -> None:
        """Closes what was opened here; a stream of the caller's stays open."""
        if self._opened_here is not None:
            self._opened_here.close()
        self._file = self._opened_here = None

    def _opened(self) -> Readable:
        match self.source:
            case str():
                self._opened_here = io.BytesIO(self.source.encode())
            case bytes():
                self._opened_here = io.BytesIO(self.source)
            case os.PathLike():
                self._opened_here = Path(self.source).open("rb")  # noqa: SIM115  # Closed at its end.
            case stream:
                if self._size_bytes is not None:
                    stream.seek(self._start)  # type: ignore[attr-defined]  # It was measured by seeking.
                return stream
        return self._opened_here

    def _measured(self) -> int | None:
        """Its length; None when it isn't known, and it can be read once."""
        match self.source:
            case str():
                return len(self.source.encode())
            case bytes():
                return len(self.source)
            case os.PathLike():
                return _file_size(Path(self.source))
            case io.TextIOBase():
                raise SourceUnreadable("a stream has to bring bytes: open it with mode 'rb'")
            case stream:
                try:
                    self._start = stream.tell()  # type: ignore[attr-defined]  # What a stream can't do is caught.
                    end: int = stream.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
                    stream.seek(self._start)  # type: ignore[attr-defined]
                except (AttributeError, OSError, ValueError):
                    return None
                return end - self._start

    def _advance(self, count: int) -> None:
        self._read_bytes += count
        if self._progress is not None and count:
            self._progress(count)


@dataclass(frozen=True, slots=True)
class Form:
    """A request's body as multipart/form-data: the fields, then the files."""

    fields: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    files: Sequence[tuple[str, Upload]] = ()

    @property
    def repeatable(self) -> bool:
        return all(upload.repeatable for _, upload in self.files)

    @property
    def spent(self) -> bool:
        return any(upload.spent for _, upload in self.files)

    def arguments(self) -> dict[str, Any]:
        """For httpx's `request`."""
        return {"data": dict(self.fields), "files": [(name, _part(upload)) for name, upload in self.files]}

    def close(self) -> None:
        for _, upload in self.files:
            upload.close()


def _part(upload: Upload) -> tuple[Any, ...]:
    if upload.media_type is None and upload.file_name is not None:
        return (upload.file_name, upload)  # httpx takes its media type from the name.
    return (upload.file_name, upload, upload.media_type or OCTETS)


def _name_of(source: Source) -> str | None:
    match source:
        case str() | bytes():
            return None
        case os.PathLike():
            return Path(source).name
        case stream:
            name = getattr(stream, "name", None)
            return Path(name).name if isinstance(name, str) else None


def _file_size(path: Path) -> int | None:
    """None for a pipe."""
    try:
        status = path.stat()
    except OSError as error:
        raise SourceUnreadable(f"{path} can't be read: {error.strerror}") from error
    if S_ISDIR(status.st_mode):
        raise SourceUnreadable(f"{path} is a folder: send its files")
    return status.st_size if S_ISREG(status.st_mode) else None
