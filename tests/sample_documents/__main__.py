"""`python -m tests.sample_documents`: writes the PDF and DOCX among `samples/` from the texts beside this file.

Each is made as such documents are made: headings are headings, tables are tables, the title is in the properties. The same
bytes come out each time.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

TEXTS = Path(__file__).parent
SAMPLES = TEXTS.parent.parent / "samples"
AS_PDF = ("audit-engagement-letter", "mietvertrag-lagerhalle")
AS_DOCX = ("employment-contract", "proces-verbal-assemblee-generale")
MADE_AT = datetime(2026, 11, 30, tzinfo=UTC)

Block = str | list[list[str]]
"""A paragraph or a heading as its text has it, or a table's rows."""


def main() -> None:
    for name in AS_PDF:
        write_pdf(name)
    for name in AS_DOCX:
        write_docx(name)


def blocks_of(name: str) -> Iterator[Block]:
    for block in (TEXTS / f"{name}.md").read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("|"):
            first, _, *rest = block.splitlines()
            yield [[cell.strip() for cell in row.strip("|").split("|")] for row in (first, *rest)]
        else:
            yield block


def write_pdf(name: str) -> None:
    blocks = list(blocks_of(name))
    title = str(blocks[0]).removeprefix("# ")
    styles = getSampleStyleSheet()
    story: list[Flowable] = []
    for block in blocks:
        match block:
            case str() if block.startswith("#"):
                marks, _, heading = block.partition(" ")
                story.append(Paragraph(heading, styles[f"Heading{len(marks)}"]))
            case str():
                story.append(Paragraph(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", block.replace("&", "&amp;"))))
            case _:
                story.append(Table(block, hAlign="LEFT", style=TableStyle([("GRID", (0, 0), (-1, -1), 0.25, "black")])))
        story.append(Spacer(0, 6))
    SimpleDocTemplate(str(SAMPLES / f"{name}.pdf"), pagesize=A4, title=title, invariant=1).build(story)


def write_docx(name: str) -> None:
    document = Document()
    properties = document.core_properties
    properties.created = properties.modified = MADE_AT.replace(tzinfo=None)
    properties.author = ""
    for block in blocks_of(name):
        match block:
            case str() if block.startswith("#"):
                marks, _, heading = block.partition(" ")
                properties.title = properties.title or heading
                document.add_heading(heading, level=len(marks))
            case str():
                paragraph = document.add_paragraph()
                for part in re.split(r"(\*\*.+?\*\*)", block):
                    paragraph.add_run(part.strip("*")).bold = part.startswith("**")
            case rows:
                table = document.add_table(len(rows), len(rows[0]), style="Table Grid")
                for cells, row in zip(table.rows, rows, strict=True):
                    for cell, text in zip(cells.cells, row, strict=True):
                        cell.text = text
    document.save(made := BytesIO())
    _pack_again(made, SAMPLES / f"{name}.docx")


def _pack_again(package: BytesIO, path: Path) -> None:
    """A ZIP says when each of its files was packed."""
    with ZipFile(package) as old, ZipFile(path, "w", ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(ZipInfo(entry.filename, MADE_AT.timetuple()[:6]), old.read(entry), ZIP_DEFLATED)


if __name__ == "__main__":
    main()
