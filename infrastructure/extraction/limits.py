"""How far one document may go before it is refused."""

from dataclasses import dataclass

MIB = 1024 * 1024
LANGUAGE_CHARACTERS = 4_000
"""What a document's language is told by. Two pages: more takes longer than reading a short document, and changes nothing."""


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """The defaults are generous for honest documents and small for a machine."""

    content_bytes: int = 100 * MIB
    """Of the file itself."""
    memory_bytes: int = 1024 * MIB
    """Beyond what the child has before it reads the document."""
    cpu_seconds: int = 60
    wall_seconds: float = 90.0
    """From the content's last byte."""
    pages: int = 5_000
    """And slides, and sheets."""
    text_bytes: int = 20 * MIB
    """Of the extracted text in UTF-8."""
    package_entries: int = 10_000
    """Files inside a ZIP."""
    entry_bytes: int = 100 * MIB
    """One of them, unpacked; counted while it is unpacked, whatever the ZIP says."""
    unpacked_bytes: int = 300 * MIB
    """All of them that are read."""
    unpacked_ratio: int = 200
    """How many times its packed size an entry may have, once that is more than 10 MiB."""
    sheet_cells: int = 2_000_000
    """Of the rectangle around a sheet's cells. A sheet beyond it is read cell by cell."""
    html_depth: int = 5_000
    mime_parts: int = 500
    mime_depth: int = 20
    header_bytes: int = 64 * 1024
    """Of one part of an e-mail."""
