"""The protocol of getting a document's text out of its file, whatever its format."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from events.ai import Language
from schemas.problems import Problem


class DocumentFormat(StrEnum):
    """The formats that text is extracted from."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    EML = "eml"
    RTF = "rtf"
    ODT = "odt"

    @property
    def media_type(self) -> str:
        """As IANA registers it."""
        return _MEDIA_TYPES[self]


_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_MEDIA_TYPES = {
    DocumentFormat.TEXT: "text/plain",
    DocumentFormat.MARKDOWN: "text/markdown",
    DocumentFormat.HTML: "text/html",
    DocumentFormat.PDF: "application/pdf",
    DocumentFormat.DOCX: f"{_OPEN_XML}.wordprocessingml.document",
    DocumentFormat.PPTX: f"{_OPEN_XML}.presentationml.presentation",
    DocumentFormat.XLSX: f"{_OPEN_XML}.spreadsheetml.sheet",
    DocumentFormat.EML: "message/rfc822",
    DocumentFormat.RTF: "application/rtf",
    DocumentFormat.ODT: "application/vnd.oasis.opendocument.text",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, and where in the text its part begins."""

    title: str = field(repr=False)
    level: int
    """1 is the highest."""
    offset: int
    """In characters of the text."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the document. It is named only: nothing in it is read."""

    name: str = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text and what of its structure places in the text can be named by."""

    format: DocumentFormat
    text: str = field(repr=False)
    """Without null characters; lines end in a line feed."""
    title: str | None = field(repr=False)
    """The one the document names itself; None if it names none."""
    language: Language
    headings: tuple[Heading, ...] = ()
    page_offsets: tuple[int, ...] = ()
    """Where each page, slide or sheet begins, in characters of the text; empty for formats without pages."""
    blank_pages: int = 0
    """Pages without text, such as scans among pages of text."""
    words: int = 0
    encoding: str | None = None
    """The one the text was decoded from, of formats that don't declare it themselves."""
    attachments: tuple[Attachment, ...] = ()

    @property
    def media_type(self) -> str:
        """By the content; the one that the uploader declared may differ."""
        return self.format.media_type

    @property
    def pages(self) -> int:
        return len(self.page_offsets)

    @property
    def characters(self) -> int:
        return len(self.text)


class Reason(StrEnum):
    """Why a document has no text for us. The closed set: each is the name of a problem type."""

    UNKNOWN_FORMAT = "unknown-format"
    ARCHIVE_REFUSED = "archive-refused"
    PASSWORD_PROTECTED = "password-protected"  # noqa: S105  # the name of a problem
    DAMAGED = "document-damaged"
    EMPTY = "document-empty"
    NO_TEXT_LAYER = "no-text-layer"
    TOO_LARGE = "document-too-large"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MUCH_TEXT = "too-much-text"
    EXPANDS_TOO_FAR = "expands-too-far"
    TOOK_TOO_LONG = "extraction-took-too-long"
    USED_TOO_MUCH_MEMORY = "extraction-used-too-much-memory"
    CRASHED = "extraction-crashed"


_TITLES = {
    Reason.UNKNOWN_FORMAT: ("The document's format isn't known", 415),
    Reason.ARCHIVE_REFUSED: ("An archive isn't a document", 415),
    Reason.PASSWORD_PROTECTED: ("The document is protected by a password", 422),
    Reason.DAMAGED: ("The document is damaged", 422),
    Reason.EMPTY: ("The document is empty", 422),
    Reason.NO_TEXT_LAYER: ("The document's pages are pictures without text", 422),
    Reason.TOO_LARGE: ("The document is too large", 413),
    Reason.TOO_MANY_PAGES: ("The document has too many pages", 422),
    Reason.TOO_MUCH_TEXT: ("The document has too much text", 422),
    Reason.EXPANDS_TOO_FAR: ("The document expands too far", 422),
    Reason.TOOK_TOO_LONG: ("Reading the document took too long", 422),
    Reason.USED_TOO_MUCH_MEMORY: ("Reading the document used too much memory", 422),
    Reason.CRASHED: ("Reading the document ended its reader", 422),
}


@dataclass(frozen=True, slots=True)
class NotExtracted:
    """The document was refused for good: the same bytes will be refused again."""

    reason: Reason
    detail: str
    """For people: what was found and what to do. Nothing of the document's content."""
    format: DocumentFormat | None = None
    """None if it wasn't recognised."""

    @property
    def problem(self) -> Problem:
        title, status = _TITLES[self.reason]
        return Problem.of(self.reason, title, status, self.detail)


Extraction = Extracted | NotExtracted


class TextExtractor(Protocol):
    """Reads documents where a bad one can harm nothing but itself."""

    async def extract(
        self,
        tenant_id: UUID,
        content: bytes | AsyncIterable[bytes],
        *,
        file_name: str | None = None,
        media_type: str | None = None,
    ) -> Extraction:
        """The document's text, or why there is none. Recognised by its content; the name and the declared media type
        decide between formats that look the same, such as text and Markdown.

        What the content's own iterator raises is raised. Unavailable when nothing could be read at all, whatever the
        document. Repeating is safe. Cancelling ends the work at once.
        """
        ...
