"""The text of an OpenDocument text: paragraphs, headings, tables and notes. Deleted text and comments stay out."""

from typing import Any

from infrastructure.extraction.formats.office import local_name
from infrastructure.extraction.formats.table_rows import TableRows
from infrastructure.extraction.package import Package
from infrastructure.extraction.refusal import password_protected
from infrastructure.extraction.text_builder import TextBuilder, one_line
from infrastructure.extraction.xml_parts import events, tree_if_there

T = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
BLOCKS = (
    *(T + name for name in ("p", "h", "tracked-changes", "soft-page-break")),
    *(TABLE + name for name in ("table-row", "table-cell")),
    OFFICE + "annotation",
)
SKIPPED = {"tracked-changes", "annotation"}
MAX_BLANKS = 1_000
MAX_LEVEL = 10


def read_odt(package: Package, text: TextBuilder) -> None:
    manifest = tree_if_there(package, "META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
        raise password_protected()
    meta = tree_if_there(package, "meta.xml")
    title = None if meta is None else meta.findtext(".//{http://purl.org/dc/elements/1.1/}title")
    text.title = one_line(title) or None if title else None
    _Body(text).read(package)


class _Body:
    def __init__(self, text: TextBuilder) -> None:
        self._text = text
        self._table = TableRows(text)
        self._skipped = 0

    def read(self, package: Package) -> None:
        with package.open("content.xml") as stream:
            for event, element in events(stream, BLOCKS):
                self._take(event, local_name(element), element)

    def _take(self, event: str, name: str, element: Any) -> None:
        match event, name:
            case "start", "tracked-changes" | "annotation":
                self._skipped += 1
            case "end", "tracked-changes" | "annotation":
                self._skipped -= 1
                _empty(element)
            case _ if self._skipped:
                pass
            case "start", "table-row":
                self._table.begin_row()
            case "start", "table-cell":
                self._table.begin_cell()
            case "start", "soft-page-break":
                self._begin_page()
            case "end", "table-row":
                self._table.end_row()
                _empty(element)
            case "end", "p" | "h":
                self._paragraph(name, element)
                _empty(element)

    def _begin_page(self) -> None:
        """Where the writing program began it when it laid the document out last."""
        if not self._text.page_offsets:
            self._text.page(0)
        self._text.page()

    def _paragraph(self, name: str, element: Any) -> None:
        line = "".join(_inline(element))
        if name == "h" and not self._table.inside:
            level = element.get(f"{T}outline-level", "1")
            self._text.heading(line, min(int(level), MAX_LEVEL) if level.isdecimal() else 1)
        self._table.line(line)


def _empty(element: Any) -> None:
    """Frees what was read, and keeps what follows the element in its paragraph."""
    element.clear(keep_tail=True)


def _inline(paragraph: Any) -> list[str]:
    """White space counts once, as in HTML, unless an element stands for it."""
    parts: list[str] = []
    for element in paragraph.iter():
        match element.tag:
            case "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}tab":
                parts.append("\t")
            case "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}line-break":
                parts.append("\n")
            case "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}s":
                blanks = element.get(f"{T}c", "1")
                parts.append(" " * (min(int(blanks), MAX_BLANKS) if blanks.isdecimal() else 1))
        if element.text:
            parts.append(_collapsed(element.text))
        if element.tail and element is not paragraph:
            parts.append(_collapsed(element.tail))
    return parts


def _collapsed(text: str) -> str:
    if "\n" not in text and "  " not in text and "\t" not in text:
        return text
    blank_before, blank_after = text[:1].isspace(), text[-1:].isspace()
    return (" " if blank_before else "") + " ".join(text.split()) + (" " if blank_after and text.strip() else "")
