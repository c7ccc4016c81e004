"""The text of a PDF, page by page, by PDFium."""

import re
import unicodedata
from itertools import islice

import pypdfium2
import pypdfium2.raw

from infrastructure.extraction.refusal import Refusal, damaged, password_protected
from infrastructure.extraction.text_builder import MAX_HEADINGS, TextBuilder, one_line, too_many_pages
from infrastructure.ports.extraction import Reason

BLANK_SHARE = 0.9
"""A scan whose cover has text is still a scan."""
MAX_LOOKED_INTO = 20
"""Blank pages that are looked into, to tell pictures from nothing."""
MAX_OUTLINE_DEPTH = 9

_BROKEN_WORD = re.compile("[\x02\ufffe]\r?\n?")
"""What PDFium has for the hyphen of a word broken at a line's end."""
_SHAPES = re.compile("[\ufb00-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]+")
"""Ligatures, and Arabic letters in the shape of their place: nobody types these into a search."""


def read_pdf(content: bytes, text: TextBuilder) -> None:
    with _open(content) as document:
        pages = len(document)
        if pages > text.limits.pages:
            raise too_many_pages(text.limits)
        if not pages:
            raise damaged("It has no pages.")
        text.title = one_line(document.get_metadata_value("Title")) or None
        blank = [number for number in range(pages) if not _read_page(document, number, text)]
        text.blank_pages = len(blank)
        if len(blank) >= pages * BLANK_SHARE and any(_has_marks(document, one) for one in blank[:MAX_LOOKED_INTO]):
            raise Refusal(
                Reason.NO_TEXT_LAYER,
                f"{len(blank):,} of its {pages:,} pages are pictures without text: run it through text recognition (OCR) first.",
            )
        _read_outline(document, text)


def _open(content: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(content, autoclose=True)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise password_protected() from None
        if error.err_code == pypdfium2.raw.FPDF_ERR_SECURITY:
            raise Refusal(Reason.PASSWORD_PROTECTED, "It is encrypted in a way that can't be read.") from None
        raise damaged("It is cut off, or isn't a whole PDF: upload the whole file again.") from None


def _read_page(document: pypdfium2.PdfDocument, number: int, text: TextBuilder) -> bool:
    """Whether the page has text. Each page is closed again, or memory grows with the document."""
    text.page()
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        raise damaged(f"Its page {number + 1:,} can't be read.") from None
    try:
        text_page = page.get_textpage()
        try:
            found = _as_typed(text_page.get_text_bounded())
        finally:
            text_page.close()
    except pypdfium2.PdfiumError:
        raise damaged(f"The text of its page {number + 1:,} can't be read.") from None
    finally:
        page.close()
    if not found.strip():
        return False
    text.line(found)
    return True


def _as_typed(text: str) -> str:
    joined = _BROKEN_WORD.sub("", text)
    return _SHAPES.sub(lambda shapes: unicodedata.normalize("NFKC", shapes[0]), joined)


def _has_marks(document: pypdfium2.PdfDocument, number: int) -> bool:
    page = document[number]
    try:
        return bool(pypdfium2.raw.FPDFPage_CountObjects(page) > 0)
    finally:
        page.close()


def _read_outline(document: pypdfium2.PdfDocument, text: TextBuilder) -> None:
    for entry in islice(document.get_toc(max_depth=MAX_OUTLINE_DEPTH), MAX_HEADINGS):
        destination = entry.get_dest()
        number = None if destination is None else destination.get_index()
        if number is not None and 0 <= number < len(text.page_offsets):
            text.heading(entry.get_title(), entry.level + 1, offset=text.page_offsets[number])
