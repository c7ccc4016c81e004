"""Documents of the size people send, and each format's library called bare on them: what its documentation begins with."""

import email
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from html.parser import HTMLParser
from io import BytesIO
from zipfile import ZipFile

import cchardet
import docx
import odfdo
import pptx
import pypdfium2
from lxml import etree, html
from python_calamine import CalamineWorkbook
from striprtf.striprtf import rtf_to_text

from tests.unit.infrastructure.extraction import producers

RTF_TIMES = 10
PAGES, PARAGRAPHS_A_PAGE, SLIDES, ROWS, PARAGRAPHS = 40, 15, 40, 5_000, 1_500
LETTER = "Der Auftragnehmer übergibt die Software einschließlich aller Unterlagen bis zum Ende des Monats März.\n"


@dataclass(frozen=True, slots=True)
class Sent:
    """A document, and how the library reads it bare."""

    name: str
    library: str
    content: bytes
    read_bare: Callable[[bytes], str]
    is_target: bool = True
    """Whether the product is asked to keep up with it."""


def documents() -> list[Sent]:
    paragraphs = [f"{number}. {producers.PARAGRAPH}" for number in range(PARAGRAPHS)]
    page = producers.HTML.replace("</h1>", "</h1>" + "".join(f"<p>{one}</p>" for one in paragraphs))
    message = producers.email([("scan.pdf", producers.pdf())], text="\n".join(paragraphs))
    odt = odfdo.Document("text")
    odt.body.clear()
    for one in paragraphs:
        odt.body.append(odfdo.Paragraph(one))
    odt_file = BytesIO()
    odt.save(odt_file)
    return [
        Sent("text", "cchardet", (LETTER * 5_000).encode("cp1252"), _text),
        Sent("html", "lxml", page.encode(), _html_lxml),
        Sent("html", "html.parser", page.encode(), _html, is_target=False),
        Sent("pdf", "pypdfium2", producers.pdf(PAGES, text=". ".join([producers.PARAGRAPH] * PARAGRAPHS_A_PAGE)), _pdf),
        Sent("docx", "lxml", producers.docx(paragraphs=paragraphs), _docx_lxml, is_target=False),
        Sent("docx", "python-docx", producers.docx(paragraphs=paragraphs), _docx),
        Sent("pptx", "python-pptx", producers.pptx(SLIDES), _pptx),
        Sent("xlsx", "python-calamine", producers.xlsx(ROWS), _xlsx),
        Sent("odt", "lxml", odt_file.getvalue(), _odt_lxml, is_target=False),
        Sent("odt", "odfdo", odt_file.getvalue(), _odt),
        Sent("eml", "email", message.as_bytes(), _eml),
        Sent("rtf", "striprtf", _long_rtf(), _rtf),
    ]


def _long_rtf() -> bytes:
    """What LibreOffice wrote, its paragraphs again and again."""
    content = producers.made_by_libreoffice("werkvertrag.rtf")
    begin = content.index(b"\\pard\\plain")
    return content[:begin] + content[begin : content.rindex(b"}")] * RTF_TIMES + b"}"


def _text(content: bytes) -> str:
    return content.decode(cchardet.detect(content)["encoding"] or "utf-8")


_BROKEN_AT = ("p", "h1", "h2", "h3", "li", "tr", "div", "br")


def _html_lxml(content: bytes) -> str:
    root = html.document_fromstring(content)
    etree.strip_elements(root, "script", "style", with_tail=False)
    for element in root.iter(*_BROKEN_AT):
        element.tail = "\n" + (element.tail or "")
    return str(root.text_content())


def _html(content: bytes) -> str:
    parts: list[str] = []

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag in _BROKEN_AT:
                parts.append("\n")

        def handle_data(self, data: str) -> None:
            parts.append(data)

    Page().feed(content.decode())
    return "".join(parts)


def _pdf(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    text = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    document.close()
    return text


def _docx_lxml(content: bytes) -> str:
    return _paragraphs(content, "word/document.xml")


def _odt_lxml(content: bytes) -> str:
    return _paragraphs(content, "content.xml")


def _paragraphs(content: bytes, part: str) -> str:
    root = etree.fromstring(ZipFile(BytesIO(content)).read(part))
    return "\n".join("".join(paragraph.itertext()) for paragraph in root.iter("{*}p"))


def _docx(content: bytes) -> str:
    return "\n".join(paragraph.text for paragraph in docx.Document(BytesIO(content)).paragraphs)


def _pptx(content: bytes) -> str:
    shapes = (shape for slide in pptx.Presentation(BytesIO(content)).slides for shape in slide.shapes)
    return "\n".join(shape.text_frame.text for shape in shapes if shape.has_text_frame)


def _xlsx(content: bytes) -> str:
    workbook = CalamineWorkbook.from_filelike(BytesIO(content))
    rows = (row for name in workbook.sheet_names for row in workbook.get_sheet_by_name(name).to_python())
    return "\n".join("\t".join(map(str, row)) for row in rows)


def _odt(content: bytes) -> str:
    return odfdo.Document(BytesIO(content)).get_formatted_text()


def _eml(content: bytes) -> str:
    body = email.message_from_bytes(content, policy=policy.default).get_body(("plain", "html"))
    return body.get_content() if body else ""


def _rtf(content: bytes) -> str:
    return str(rtf_to_text(content.decode("latin-1")))
