"""Reads multipart/form-data (RFC 7578) part by part, as it arrives."""

import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from api.http import document_problems
from api.uploads.file_names import parameters_of

MAX_PART_HEADERS: Final = 8
MAX_HEADER_BYTES: Final = 4_096
LONGEST_NAME: Final = 100

# It logs each malformed form with what stands in it, and clients could flood the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class _End:
    """The end of a part, or of the form."""


_PART_END, _FORM_END = _End(), _End()


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part."""

    name: str
    file_name: str | None
    media_type: str | None


@dataclass(slots=True)
class _Head:
    """A part's headers, as far as they have arrived."""

    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)


class MultipartReader:
    """The parts of one form. A part that isn't read is skipped."""

    def __init__(self, chunks: AsyncIterator[bytes], boundary: str, *, max_parts: int) -> None:
        self._chunks = chunks
        self._max_parts = max_parts
        self._parts = 0
        self._head = _Head()
        self._events: deque[Part | bytes | _End] = deque()
        """What one chunk brought: never more than that chunk's bytes."""
        self._parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._head.name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._head.value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._finish_head,
                "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                "on_part_end": lambda: self._events.append(_PART_END),
                "on_end": lambda: self._events.append(_FORM_END),
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    async def parts(self) -> AsyncIterator[Part]:
        """Each part, whose content `content` reads. Raises a Refusal when the form is malformed or has too many."""
        while (event := await self._next()) is not _FORM_END:
            if isinstance(event, Part):
                yield event
        async for _ in self._chunks:
            pass  # What comes after the form is ignored (RFC 2046, section 5.1.1).

    async def content(self) -> AsyncIterator[bytes]:
        """The present part's bytes."""
        while isinstance(event := await self._next(), bytes):
            yield event

    async def text(self, name: str, max_bytes: int) -> str:
        """The present part as text. Raises a Refusal when it is longer or isn't UTF-8."""
        read = bytearray()
        async for chunk in self.content():
            read += chunk
            if len(read) > max_bytes:
                raise document_problems.invalid_part(name, f"is longer than {max_bytes:,} bytes")
        try:
            return read.decode()
        except UnicodeDecodeError:
            raise document_problems.invalid_part(name, "isn't UTF-8") from None

    async def _next(self) -> Part | bytes | _End:
        while not self._events:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                raise document_problems.malformed_upload("The form ends before its last boundary")
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise document_problems.malformed_upload(
                    "It isn't multipart/form-data with the boundary that it names"
                ) from None
        return self._events.popleft()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise document_problems.too_many_parts(self._max_parts)
        self._head = _Head()

    def _end_header(self) -> None:
        name = self._head.name.decode("ascii").lower()
        # Browsers write names in UTF-8 as they are (RFC 7578, section 4.2).
        self._head.headers[name] = self._head.value.decode(errors="replace").strip()
        self._head.name, self._head.value = bytearray(), bytearray()

    def _finish_head(self) -> None:
        headers = self._head.headers
        kind, parameters = parameters_of(headers.get("content-disposition", ""))
        name = parameters.get("name", "")
        if kind != "form-data" or not 0 < len(name) <= LONGEST_NAME:
            raise document_problems.malformed_upload(
                "A part of the form has no Content-Disposition: form-data with a name"
            )
        if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise document_problems.malformed_upload(
                "A part of the form has a Content-Transfer-Encoding; send it as it is"
            )
        self._events.append(Part(name, parameters.get("filename"), headers.get("content-type")))
