"""The text of a Word document: body, tables, text boxes, then foot- and endnotes. Deleted text stays deleted."""

from typing import Any

from infrastructure.extraction.formats.office import core_title, local_name, main_part
from infrastructure.extraction.formats.table_rows import TableRows
from infrastructure.extraction.package import Package
from infrastructure.extraction.text_builder import TextBuilder
from infrastructure.extraction.xml_parts import events, tree_if_there

MAIN = "word/document.xml"
NOTES = ("word/footnotes.xml", "word/endnotes.xml")
BLOCKS = ("{*}p", "{*}tr", "{*}tc", "{*}Fallback")
INLINE = ("{*}moveFrom", "{*}t", "{*}tab", "{*}br", "{*}cr", "{*}noBreakHyphen", "{*}lastRenderedPageBreak")
LINE_BREAKS = {"br": "\n", "cr": "\n", "noBreakHyphen": "-"}
MAX_LEVEL = 9


def read_docx(package: Package, text: TextBuilder) -> None:
    text.title = core_title(package)
    body = _Body(text, _heading_levels(package))
    body.read(package, main_part(package, MAIN))
    for page_offset in body.page_offsets():
        text.page(page_offset)
    for part in NOTES:
        if part in package.names:
            _Body(text, {}).read(package, part)


def _heading_levels(package: Package) -> dict[str, int]:
    """Of each paragraph style that is a heading: by its outline level, or by the name that it has inside the file in
    every language; and of styles based on one."""
    styles = tree_if_there(package, "word/styles.xml")
    if styles is None:
        return {}
    levels: dict[str, int] = {}
    parents: dict[str, str] = {}
    for style in styles.iterchildren("{*}style"):
        style_id = _attribute(style, "styleId")
        of_style = {local_name(one): one for one in style}
        name = _value(of_style.get("name")).lower()
        outline = _value(next((one for one in of_style.get("pPr", ()) if local_name(one) == "outlineLvl"), None))
        if outline.isdecimal() and int(outline) < MAX_LEVEL:
            levels[style_id] = int(outline) + 1
        elif name.startswith("heading ") and name[8:].isdecimal():
            levels[style_id] = int(name[8:])
        elif name == "title":
            levels[style_id] = 1
        elif parent := _value(of_style.get("basedOn")):
            parents[style_id] = parent
    return levels | {style: levels[parent] for style, parent in parents.items() if parent in levels}


def _attribute(element: Any, name: str) -> str:
    """In the namespace of the element itself."""
    return str(element.get(element.tag.rpartition("}")[0] + "}" + name) or "")


def _value(element: Any | None) -> str:
    return "" if element is None else _attribute(element, "val")


class _Body:
    def __init__(self, text: TextBuilder, levels: dict[str, int]) -> None:
        self._text = text
        self._levels = levels
        self._table = TableRows(text)
        self._fallbacks = 0
        self._page_breaks: list[int] = []
        self._rendered_breaks: list[int] = []

    def page_offsets(self) -> list[int]:
        """Where pages began when Word laid the document out last, else those that the author set; none if it doesn't say."""
        breaks = self._rendered_breaks or self._page_breaks
        return [0, *breaks] if breaks else []

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
                element.clear()
            case _ if self._fallbacks:
                pass  # The same again, for programs that know less.
            case "start", "tr":
                self._table.begin_row()
            case "start", "tc":
                self._table.begin_cell()
            case "end", "tr":
                self._table.end_row()
                element.clear()
            case "end", "p":
                self._paragraph(element)
                element.clear()

    def _paragraph(self, paragraph: Any) -> None:
        parts: list[str] = []
        moved: set[Any] = set()
        for element in paragraph.iter(*INLINE):
            match local_name(element):
                case "moveFrom":
                    moved.update(element.iter("{*}t"))
                case "t" if element not in moved:
                    parts.append(element.text or "")
                case "tab" if local_name(element.getparent()) == "r":  # Others set where the tabs stop.
                    parts.append("\t")
                case "lastRenderedPageBreak":
                    self._rendered_breaks.append(self._offset(parts))
                case "br" if _attribute(element, "type") == "page":
                    self._page_breaks.append(self._offset(parts))
                case "br" | "cr" | "noBreakHyphen" as name:
                    parts.append(LINE_BREAKS[name])
        line = "".join(parts)
        if self._levels and not self._table.inside and line.strip() and (level := self._level(paragraph)):
            self._text.heading(line, level)
        self._table.line(line)

    def _offset(self, parts: list[str]) -> int:
        return self._text.offset + (0 if self._table.inside else sum(map(len, parts)))

    def _level(self, paragraph: Any) -> int | None:
        properties = next(paragraph.iterchildren("{*}pPr"), None)
        if properties is None:
            return None
        return self._levels.get(_value(next(properties.iterchildren("{*}pStyle"), None)))
