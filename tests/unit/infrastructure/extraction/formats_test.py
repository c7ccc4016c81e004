"""What is read from documents that real programs wrote: their text, and the places in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from io import BytesIO

import pytest
from openpyxl import Workbook

from infrastructure.ports.extraction import DocumentFormat, Extracted
from tests.unit.infrastructure.extraction.conftest import Extract, text_of
from tests.unit.infrastructure.extraction.producers import (
    HTML,
    PARAGRAPH,
    docx,
    email,
    made_by_libreoffice,
    odt,
    pdf,
    pptx,
    sheet_with_cells,
    xlsx,
)

MARKDOWN = f"# Supply *agreement*\n\n{PARAGRAPH}\n\n```\n# no heading\n```\n\nPrices\n------\n\nNone yet.\n"
FIRST_SENTENCE = PARAGRAPH.split(". ")[0]


def heading_lines(extracted: Extracted) -> list[str]:
    """What stands in the text where the headings are said to be."""
    return [extracted.text[heading.offset :].splitlines()[0] for heading in extracted.headings]


@pytest.mark.parametrize(
    ("document", "content", "title"),
    [
        (DocumentFormat.DOCX, docx, "Supply agreement"),
        (DocumentFormat.ODT, odt, "Supply agreement"),
        (DocumentFormat.PPTX, pptx, "Quarterly review"),
        (DocumentFormat.HTML, HTML.encode, "Supply agreement"),
        (DocumentFormat.MARKDOWN, MARKDOWN.encode, "Supply agreement"),
        (DocumentFormat.EML, email().as_bytes, "Lieferung der Ventile – Rückfrage"),
        (DocumentFormat.TEXT, PARAGRAPH.encode, None),
    ],
)
def test_a_document_gives_its_text_its_title_and_its_language(
    extract: Extract, document: DocumentFormat, content: Callable[[], bytes], title: str | None
) -> None:
    extracted = text_of(extract(content()))

    assert (extracted.format, extracted.media_type) == (document, document.media_type)
    assert FIRST_SENTENCE in extracted.text
    assert extracted.title == title
    assert extracted.language.code == "en"
    assert extracted.words >= len(PARAGRAPH.split())


def test_a_word_document_has_its_headings_tables_and_pages(extract: Extract) -> None:
    extracted = text_of(extract(docx()))

    assert [(one.title, one.level) for one in extracted.headings] == [("Delivery", 1), ("Prices", 2)]
    assert heading_lines(extracted) == ["Delivery", "Prices"]
    assert "Valve\tEUR 12.50\n" in extracted.text
    assert extracted.text[extracted.page_offsets[1] :].strip() == "Page two."


def test_a_presentation_has_a_page_for_each_slide_with_what_its_speaker_says(extract: Extract) -> None:
    extracted = text_of(extract(pptx(slides=3)))

    assert extracted.pages == 3
    assert heading_lines(extracted) == ["Quarter 1", "Quarter 2", "Quarter 3"]
    assert [one.offset for one in extracted.headings] == list(extracted.page_offsets)
    assert "Say thanks for quarter 2." in extracted.text


def test_a_workbook_is_read_sheet_by_sheet_with_numbers_as_they_were_typed(extract: Extract) -> None:
    extracted = text_of(extract(xlsx()))

    assert "Valve of type 2\t20\t12.5\tTRUE\n" in extracted.text
    assert [one.title for one in extracted.headings] == ["Prices", "Remarks"]
    assert extracted.text[extracted.page_offsets[1] :].startswith("Prices are valid")


@pytest.mark.parametrize("rows", [1, 2, 500])
def test_cells_are_shown_alike_however_often_their_values_are_repeated(extract: Extract, rows: int) -> None:
    shown = {0: ("0", "TRUE", "1.0"), 1: ("1", "FALSE", "2.5")}
    workbook = Workbook()
    for number in range(rows):
        odd = number % 2
        mixed = "1.0" if odd == 0 else 2.5
        workbook.active.append([f"Part {number}", number, float(odd), odd == 0, date(2026, 2, 1 + odd), mixed, None])
    file = BytesIO()
    workbook.save(file)

    lines = text_of(extract(file.getvalue())).text.splitlines()

    for number, line in enumerate(lines):
        whole, truth, mixed = shown[number % 2]
        day = f"2026-02-0{1 + number % 2}"
        assert line.split("\t") == [f"Part {number}", str(number), whole, truth, day, mixed]
    assert len(lines) == rows


def test_a_sheet_with_cells_in_opposite_corners_is_read_cell_by_cell(extract: Extract) -> None:
    extracted = text_of(extract(sheet_with_cells("A1", "XFD1048576")))

    assert extracted.text.count("about the delivery of the goods") == 2


def test_a_pdf_is_read_page_by_page(extract: Extract) -> None:
    extracted = text_of(extract(pdf(pages=3)))

    assert extracted.title == "Supply agreement"
    pages = [extracted.text[offset:].split("\n", 1)[0] for offset in extracted.page_offsets]
    assert pages == ["Page 1", "Page 2", "Page 3"]
    assert [(one.title, one.offset) for one in extracted.headings][2] == ("Part 3", extracted.page_offsets[2])


def test_a_pdf_of_five_thousand_pages_is_read_to_its_end(extract: Extract) -> None:
    extracted = text_of(extract(pdf(pages=5_000, text="Goods")))

    assert extracted.pages == 5_000
    assert extracted.text[extracted.page_offsets[-1] :].startswith("Page 5000")


def test_an_email_names_its_attachments_and_doesnt_read_them(extract: Extract) -> None:
    message = email([("Preisliste März.docx", docx()), ("scan.pdf", b"%PDF-1.4")])
    message.add_attachment(email())

    extracted = text_of(extract(message.as_bytes()))

    assert [one.name for one in extracted.attachments] == [
        "Preisliste März.docx",
        "scan.pdf",
        "Lieferung der Ventile – Rückfrage",
    ]
    assert "From: Clémence Vauquelin <clemence@example.org>\n" in extracted.text
    assert extracted.text.count(FIRST_SENTENCE) == 1  # Neither the HTML alternative nor the message attached.


def test_an_email_that_breaks_the_rules_keeps_its_letters(extract: Extract) -> None:
    content = f"Message-ID: <1@example.org>\nFROM: Clémence\nSubject: Prix élevés\n\n{PARAGRAPH}\n".encode()

    extracted = text_of(extract(content))

    assert extracted.text.startswith("From: Clémence\nSubject: Prix élevés\n")
    assert extracted.title == "Prix élevés"


def test_a_web_page_gives_what_its_reader_sees(extract: Extract) -> None:
    extracted = text_of(extract(HTML.encode()))

    assert extracted.text == f"Delivery\n{PARAGRAPH}\nValve\tEUR 12.50\n"
    assert heading_lines(extracted) == ["Delivery"]


def test_markdown_stays_as_it_is_and_has_its_headings(extract: Extract) -> None:
    extracted = text_of(extract(MARKDOWN.encode()))

    assert extracted.text == MARKDOWN
    assert [(one.title, one.level) for one in extracted.headings] == [("Supply agreement", 1), ("Prices", 2)]
    assert heading_lines(extracted) == ["# Supply *agreement*", "Prices"]


@pytest.mark.parametrize(
    ("file_name", "language", "words"),
    [
        ("werkvertrag.rtf", "de", "vertreten durch die Geschäftsführerin Frau Dr. Wiebke Thomsen"),
        ("contrat.odt", "fr", "La société Atelier Boréal SARL, au capital de 40 000 euros"),
        ("contrat.html", "fr", "La société Atelier Boréal SARL, au capital de 40 000 euros"),
        ("lease.docx", "en", "THIS LEASE is dated the 2nd day of February 2026"),
        ("prices.xlsx", "und", "Насос\t840,00\t2026-02-03"),
    ],
)
def test_what_libreoffice_writes_is_read(extract: Extract, file_name: str, language: str, words: str) -> None:
    extracted = text_of(extract(made_by_libreoffice(file_name)))

    assert extracted.format == file_name.partition(".")[2]
    assert extracted.language.code == language
    assert words in extracted.text


def test_content_may_come_in_pieces_of_any_size(extract: Extract) -> None:
    content = docx()

    async def in_pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(content), 777):
            yield content[begin : begin + 777]
            yield b""
            await asyncio.sleep(0)

    assert extract(in_pieces()) == extract(content)
