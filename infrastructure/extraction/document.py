"""A document's text from its bytes, in this very process. Only a child that may die calls it: see `child`."""

from collections.abc import Callable

from infrastructure.extraction.formats.docx import read_docx
from infrastructure.extraction.formats.eml import read_eml
from infrastructure.extraction.formats.html import read_html
from infrastructure.extraction.formats.odt import read_odt
from infrastructure.extraction.formats.pdf import read_pdf
from infrastructure.extraction.formats.plain import read_markdown, read_text
from infrastructure.extraction.formats.pptx import read_pptx
from infrastructure.extraction.formats.rtf import read_rtf
from infrastructure.extraction.formats.xlsx import read_xlsx
from infrastructure.extraction.limits import LANGUAGE_CHARACTERS, ExtractionLimits
from infrastructure.extraction.package import Package
from infrastructure.extraction.recognition import Hints, recognise
from infrastructure.extraction.refusal import Refusal
from infrastructure.extraction.text_builder import TextBuilder
from infrastructure.extraction.word_count import count_words
from infrastructure.offline.text.language import language_of
from infrastructure.ports.extraction import DocumentFormat, Extracted, Extraction, NotExtracted, Reason

_FLAT: dict[DocumentFormat, Callable[[bytes, TextBuilder], None]] = {
    DocumentFormat.TEXT: read_text,
    DocumentFormat.MARKDOWN: read_markdown,
    DocumentFormat.HTML: read_html,
    DocumentFormat.PDF: read_pdf,
    DocumentFormat.EML: read_eml,
    DocumentFormat.RTF: read_rtf,
}
_PACKAGED: dict[DocumentFormat, Callable[[Package, TextBuilder], None]] = {
    DocumentFormat.DOCX: read_docx,
    DocumentFormat.PPTX: read_pptx,
    DocumentFormat.ODT: read_odt,
}


def extract_document(content: bytes, hints: Hints, limits: ExtractionLimits) -> Extraction:
    """The document's text, or why there is none. Raises what the format's library raises at bytes it doesn't expect,
    MemoryError among it; may end the process."""
    found: DocumentFormat | None = None
    try:
        found = recognise(content, hints)
        text = TextBuilder(limits)
        _read(found, content, text)
        return _extracted(found, text)
    except Refusal as refusal:
        return NotExtracted(refusal.reason, refusal.detail, found)


def _read(found: DocumentFormat, content: bytes, text: TextBuilder) -> None:
    if flat := _FLAT.get(found):
        flat(content, text)
    elif packaged := _PACKAGED.get(found):
        packaged(Package(content, text.limits), text)
    else:
        read_xlsx(content, Package(content, text.limits), text)


def _extracted(found: DocumentFormat, text: TextBuilder) -> Extracted:
    whole = text.text()
    if not whole or whole.isspace():
        raise Refusal(Reason.EMPTY, "It has no text.")
    return Extracted(
        format=found,
        text=whole,
        title=text.title,
        language=language_of(whole[:LANGUAGE_CHARACTERS]),
        headings=tuple(text.headings),
        page_offsets=tuple(text.page_offsets),
        blank_pages=text.blank_pages,
        words=count_words(whole),
        encoding=text.encoding,
        attachments=tuple(text.attachments),
    )
