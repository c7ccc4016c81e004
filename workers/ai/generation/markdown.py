"""Puts sections together as one Markdown document, whose outline no section's own text can change."""

import re
from collections.abc import Iterable, Sequence

from events.ai import GeneratedSection

SECTION_LEVEL = 2
MAX_LEVEL = 6
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<rest>.*)")
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?:[ \t]+(?P<text>.*?))?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(?:(?P<first>=+)|-{2,})[ \t]*")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[-*+>|#]|\d{1,9}[.)])|[ \t]*$| {4}|\t")


def as_markdown(title: str, sections: Sequence[GeneratedSection]) -> str:
    """The title, and each section under its heading."""
    parts = [f"# {' '.join(title.split())}"]
    for section in sections:
        parts += [f"## {section.heading}", section.text]
    return "\n\n".join(part for part in parts if part) + "\n"


def on_one_line(heading: str) -> str:
    """A model's heading without marks."""
    return " ".join(heading.split()).strip("#* ")


def storable(text: str) -> str:
    """A model's text without what no store takes: null characters, and halves of characters."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def section_text(text: str) -> str:
    """A model's text as it is kept: what readers were shown while it was written, with a code block that was left open closed."""
    written = storable(text).strip()
    _, open_fence = _read(written.splitlines())
    return "\n".join([written, *open_fence])


def below(text: str, heading: str) -> str:
    """A section's text as it stands in the document: without the section's own heading, which models like to repeat, and with
    other headings below the section's."""
    lines, _ = _read(text.splitlines())
    if lines and isinstance(lines[0], _Heading) and on_one_line(lines[0].text).casefold() == heading.casefold():
        lines = lines[1:]
    highest = min((one.level for one in lines if isinstance(one, _Heading)), default=MAX_LEVEL)
    deeper = max(SECTION_LEVEL + 1 - highest, 0)
    written = [one.moved(deeper) if isinstance(one, _Heading) else one for one in lines]
    return "\n".join(written).strip("\n")


class _Heading:
    __slots__ = ("level", "text")

    def __init__(self, level: int, text: str) -> None:
        self.level = level
        self.text = text

    def moved(self, deeper: int) -> str:
        return f"{'#' * min(self.level + deeper, MAX_LEVEL)} {self.text}"


def _read(lines: Iterable[str]) -> tuple[list[str | _Heading], list[str]]:
    """The lines, with headings known as such, and what closes a code block that is open at the end."""
    read: list[str | _Heading] = []
    fence = ""
    for line in lines:
        if fence:
            read.append(line)
            mark = _FENCE.fullmatch(line)
            if mark and mark["marks"].startswith(fence) and not mark["rest"].strip():
                fence = ""
        elif mark := _FENCE.fullmatch(line):
            read.append(line)
            fence = mark["marks"]
        elif found := _HEADING.fullmatch(line):
            read.append(_Heading(len(found["marks"]), (found["text"] or "").rstrip("#").rstrip()))
        elif (underline := _UNDERLINE.fullmatch(line)) and _is_paragraph(read):
            read[-1] = _Heading(1 if underline["first"] else 2, str(read[-1]).strip())
        else:
            read.append(line)
    return read, [fence] if fence else []


def _is_paragraph(read: Sequence[str | _Heading]) -> bool:
    """Whether the line before may be the text of a heading that is underlined."""
    last = read[-1] if read else ""
    return isinstance(last, str) and not _NO_PARAGRAPH.match(last)
