"""Documents as real programs write them: small ones made here by libraries, and those in `files/`, which LibreOffice made.

`files/` was made once, by `soffice --headless --convert-to rtf|odt|doc|docx|xlsx|html|pdf` from texts of `samples/` and a
table. The locked ones have the password "secret": LibreOffice locked the PDF and the ODT, msoffcrypto-tool the DOCX.
"""

import io
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path

import odfdo
from docx import Document
from docx.enum.text import WD_BREAK
from openpyxl import Workbook
from PIL import Image, ImageDraw
from pptx import Presentation
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

FILES = Path(__file__).parent / "files"

PARAGRAPH = (
    "The supplier shall deliver the goods within thirty days of the order, and bears the risk until they are received. "
    "Invoices are payable within fourteen days; interest on late payments is five per cent a year."
)


def made_by_libreoffice(name: str) -> bytes:
    return (FILES / name).read_bytes()


def docx(title: str = "Supply agreement", paragraphs: Sequence[str] = (PARAGRAPH,)) -> bytes:
    document = Document()
    document.core_properties.title = title
    document.add_heading("Delivery", level=1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.add_heading("Prices", level=2)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Item", "Price", "Valve", "EUR 12.50"), strict=True):
        cell.text = text
    document.add_paragraph("End of page one.").add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("Page two.")
    return _saved(document.save)


def pptx(slides: int = 2) -> bytes:
    presentation = Presentation()
    presentation.core_properties.title = "Quarterly review"
    for number in range(1, slides + 1):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Quarter {number}"
        slide.placeholders[1].text = PARAGRAPH
        slide.notes_slide.notes_text_frame.text = f"Say thanks for quarter {number}."
    return _saved(presentation.save)


def xlsx(rows: int = 3) -> bytes:
    workbook = Workbook()
    workbook.properties.title = "Price list"
    sheet = workbook.active
    sheet.title = "Prices"
    sheet.append(["Item", "Pieces", "Price", "Urgent"])
    for number in range(1, rows + 1):
        sheet.append([f"Valve of type {number}", number * 10, 12.5, number % 2 == 0])
    workbook.create_sheet("Remarks").append(["Prices are valid until the end of the year, and exclude transport."])
    return _saved(workbook.save)


def sheet_with_cells(*places: str) -> bytes:
    workbook = Workbook()
    for place in places:
        workbook.active[place] = f"a remark in {place} about the delivery of the goods"
    return _saved(workbook.save)


def odt() -> bytes:
    document = odfdo.Document("text")
    document.meta.title = "Supply agreement"
    document.body.clear()
    document.body.append(odfdo.Header(1, "Delivery"))
    document.body.append(odfdo.Paragraph(PARAGRAPH))
    table = odfdo.Table("Prices", width=2, height=1)
    table.set_value((0, 0), "Valve")
    table.set_value((1, 0), "EUR 12.50")
    document.body.append(table)
    return _saved(document.save)


def pdf(pages: int = 2, *, text: str = PARAGRAPH, title: str = "Supply agreement") -> bytes:
    def write(file: io.BytesIO) -> None:
        canvas = Canvas(file, pagesize=A4)
        canvas.setTitle(title)
        for number in range(1, pages + 1):
            canvas.bookmarkPage(str(number))
            canvas.addOutlineEntry(f"Part {number}", str(number))
            for row, line in enumerate([f"Page {number}", *text.split(". ")]):
                canvas.drawString(60, 780 - 20 * row, line)
            canvas.showPage()
        canvas.save()

    return _saved(write)


def scanned_pdf(pages: int = 2) -> bytes:
    """A picture of text on each page, as a scanner makes it."""

    def write(file: io.BytesIO) -> None:
        canvas = Canvas(file, pagesize=A4)
        for number in range(1, pages + 1):
            picture = Image.new("L", (400, 560), 255)
            ImageDraw.Draw(picture).text((20, 20), f"Scanned page {number}")
            canvas.drawInlineImage(picture, 0, 0, *A4)
            canvas.showPage()
        canvas.save()

    return _saved(write)


def blank_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(595, 842)
    return _saved(writer.write)


def locked_pdf(*, to_read: str, to_change: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt(to_read, to_change, algorithm="AES-128")
    return _saved(writer.write)


def email(attachments: Sequence[tuple[str, bytes]] = (), *, text: str = PARAGRAPH) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Clémence Vauquelin <clemence@example.org>"
    message["To"] = "orders@example.org"
    message["Subject"] = "Lieferung der Ventile – Rückfrage"
    message["Message-ID"] = "<1@example.org>"
    message.set_content(f"Dear colleagues,\n\n{text}\n")
    message.add_alternative(f"<html><body><p>{PARAGRAPH}</p></body></html>", subtype="html")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


HTML = f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Supply agreement</title><style>p {{ color: red }}</style></head>
<body><script>var hidden = 1;</script><h1>Delivery</h1><p>{PARAGRAPH}</p>
<table><tr><td>Valve</td><td>EUR&nbsp;12.50</td></tr></table></body></html>
"""


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()
