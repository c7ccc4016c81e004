"""Puts a document's text together, and notes where its headings and pages begin."""

import re
from dataclasses import dataclass, field

from infrastructure.extraction.limits import MIB, ExtractionLimits
from infrastructure.extraction.refusal import Refusal
from infrastructure.ports.extraction import Attachment, Heading, Reason

MAX_HEADINGS = 2_000
MAX_TITLE = 300
MAX_ATTACHMENTS = 500
CLEANED_AT_ONCE = 64 * 1024
"""Characters of lines: to look through each on its own takes several times as long."""

_LINE_ENDS = re.compile(r"\r\n?")
# What no text is made of: controls other than tab, line feed and form feed, and halves of surrogate pairs.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")

_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte not in b"\t\n\f\r")


@dataclass(slots=True)
class TextBuilder:
    """Text is appended as it is read, so that a document which never ends is refused on the way."""

    limits: ExtractionLimits
    title: str | None = None
    encoding: str | None = None
    headings: list[Heading] = field(default_factory=list)
    page_offsets: list[int] = field(default_factory=list)
    blank_pages: int = 0
    attachments: list[Attachment] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _line_characters: int = 0
    _parts: list[str] = field(default_factory=list)
    _characters: int = 0
    _bytes: int = 0

    @property
    def offset(self) -> int:
        """Where the next text begins, in characters."""
        self._append_lines()
        return self._characters

    def append(self, text: str) -> None:
        """Refusal when the document has more text than is taken."""
        self._append_lines()
        self._append(clean(text))

    def line(self, text: str) -> None:
        """Refusal when the document has more text than is taken, by the next few lines at the latest."""
        self._lines.append(text)
        self._line_characters += len(text)
        if self._line_characters > CLEANED_AT_ONCE:
            self._append_lines()

    def _append_lines(self) -> None:
        if not self._lines:
            return
        lines = "\n".join(self._lines)
        self._lines.clear()
        self._line_characters = 0
        self._append(clean(lines) + "\n")

    def _append(self, cleaned: str) -> None:
        self._bytes += len(cleaned) if cleaned.isascii() else len(cleaned.encode())
        if self._bytes > self.limits.text_bytes:
            raise Refusal(
                Reason.TOO_MUCH_TEXT,
                f"At most {self.limits.text_bytes // MIB:,} MiB of text are taken: upload it in parts.",
            )
        self._parts.append(cleaned)
        self._characters += len(cleaned)

    def heading(self, title: str, level: int, *, offset: int | None = None) -> None:
        """Notes a heading whose part begins here, or at the offset."""
        title = one_line(title)
        if title and len(self.headings) < MAX_HEADINGS:
            self.headings.append(Heading(title, level, self.offset if offset is None else offset))

    def page(self, offset: int | None = None) -> None:
        """Begins a page here, or at the offset. Refusal when there are more than are taken."""
        self.page_offsets.append(self.offset if offset is None else offset)
        if len(self.page_offsets) > self.limits.pages:
            raise too_many_pages(self.limits)

    def attachment(self, name: str, media_type: str) -> None:
        if len(self.attachments) < MAX_ATTACHMENTS:
            self.attachments.append(Attachment(one_line(name), one_line(media_type)))

    def text(self) -> str:
        self._append_lines()
        return "".join(self._parts)


def clean(text: str) -> str:
    """The text as it is stored: lines end in a line feed, and no controls."""
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    return text if _is_clean(text) else _UNWANTED.sub("", text)


def _is_clean(text: str) -> bool:
    """What `_UNWANTED` finds, found in a fifth of the time: controls are single bytes in UTF-8."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # Half of a surrogate pair.
        return False
    is_without_controls = len(encoded.translate(None, _CONTROLS)) == len(encoded)
    return is_without_controls and "\ufffe" not in text and "\uffff" not in text


def one_line(text: str) -> str:
    """For titles and names: short, and white space as single blanks."""
    return " ".join(clean(text[: 4 * MAX_TITLE]).split())[:MAX_TITLE]


def too_many_pages(limits: ExtractionLimits) -> Refusal:
    return Refusal(Reason.TOO_MANY_PAGES, f"At most {limits.pages:,} are taken: upload it in parts.")
