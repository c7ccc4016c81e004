"""The text of a presentation: slide by slide in their order, each with its speaker's notes."""

from typing import Any

from infrastructure.extraction.formats.office import core_title, local_name, main_part, relations
from infrastructure.extraction.formats.table_rows import TableRows
from infrastructure.extraction.package import Package
from infrastructure.extraction.text_builder import TextBuilder
from infrastructure.extraction.xml_parts import events, tree

MAIN = "ppt/presentation.xml"
BLOCKS = ("{*}p", "{*}tr", "{*}tc", "{*}sp", "{*}ph", "{*}Fallback")
INLINE = ("{*}t", "{*}br")
TITLES = {"title", "ctrTitle"}
NOT_OF_THE_SLIDE = {"sldNum", "dt", "ftr", "hdr"}


def read_pptx(package: Package, text: TextBuilder) -> None:
    text.title = core_title(package)
    for slide in _slides_in_order(package, main_part(package, MAIN)):
        text.page()
        before = text.offset
        _Shapes(text).read(package, slide)
        for kind, _, notes in relations(package, slide):
            if kind == "notesSlide" and notes in package.names:
                _Shapes(text).read(package, notes)
        if text.offset == before:
            text.blank_pages += 1


def _slides_in_order(package: Package, main: str) -> list[str]:
    targets = {found: target for kind, found, target in relations(package, main) if kind == "slide"}
    order = [
        next((value for name, value in one.attrib.items() if name.endswith("}id")), "")
        for one in tree(package.read(main)).iter("{*}sldId")
    ]
    return [targets[found] for found in order if targets.get(found) in package.names]


class _Shapes:
    def __init__(self, text: TextBuilder) -> None:
        self._text = text
        self._table = TableRows(text)
        self._fallbacks = 0
        self._placeholder: str | None = None

    def read(self, package: Package, part: str) -> None:
        with package.open(part) as stream:
            for event, element in events(stream, BLOCKS):
                self._take(event, local_name(element), element)

    def _take(self, event: str, name: str, element: Any) -> None:
        match event, name:
            case "start", "Fallback":
                self._fallbacks += 1
            case "end", "Fallback":
                self._fallbacks -= 1
            case _ if self._fallbacks:
                pass
            case _, "sp":
                self._placeholder = None
            case "start", "ph":
                self._placeholder = element.get("type")
            case "start", "tr":
                self._table.begin_row()
            case "start", "tc":
                self._table.begin_cell()
            case "end", "tr":
                self._table.end_row()
            case "end", "p" if self._placeholder not in NOT_OF_THE_SLIDE:
                self._paragraph(element)
                element.clear()

    def _paragraph(self, paragraph: Any) -> None:
        line = "".join("\n" if local_name(one) == "br" else one.text or "" for one in paragraph.iter(*INLINE))
        if not line.strip():
            return
        if self._placeholder in TITLES:
            self._text.heading(line, 1)
        self._table.line(line)
