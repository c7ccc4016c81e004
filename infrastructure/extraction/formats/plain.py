"""Plain text and Markdown: the text as it is, with its headings and pages noted."""

import re
from collections.abc import Iterator
from itertools import islice

from infrastructure.extraction.decoding import decode
from infrastructure.extraction.text_builder import MAX_HEADINGS, TextBuilder, clean, one_line

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|(-{2,}))[ \t]*$")
_MARKS = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")
FRONT_MATTER_LINES = 100
MAX_HEADING = 1_000
"""A longer line is no heading: the patterns look at it more than once."""


def read_text(content: bytes, text: TextBuilder) -> None:
    found, text.encoding = decode(content)
    found = clean(found)
    if "\f" in found:
        text.page_offsets = [0]
        for page in found.split("\f")[:-1]:
            text.page_offsets.append(text.page_offsets[-1] + len(page) + 1)
    text.append(found)


def read_markdown(content: bytes, text: TextBuilder) -> None:
    """CommonMark's headings (https://spec.commonmark.org), and the title of a front matter."""
    found, text.encoding = decode(content)
    found = clean(found)
    front = _front_matter(found)
    for offset, level, title in islice(_headings(found, len(front)), MAX_HEADINGS):
        text.heading(_MARKS.sub(r"\1", title), level, offset=offset)
    named = next((line.removeprefix("title:") for line in front.splitlines() if line.startswith("title:")), "")
    first = next((heading.title for heading in text.headings if heading.level == 1), None)
    text.title = one_line(named).strip("\"'") or first
    text.append(found)


def _front_matter(text: str) -> str:
    if not text.startswith("---\n"):
        return ""
    end = text.find("\n---\n", 3)
    return text[: end + 5] if end > 0 and text.count("\n", 0, end) <= FRONT_MATTER_LINES else ""


def _headings(text: str, begin: int) -> Iterator[tuple[int, int, str]]:
    """(offset, level, title) of each."""
    offset, fence, before, before_offset = begin, "", "", begin
    for line in text[begin:].split("\n"):
        mark = _FENCE.match(line, 0, MAX_HEADING)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
            before = ""
        elif mark:
            fence, before = mark[1], ""
        elif len(line) > MAX_HEADING:
            before = ""
        elif atx := _ATX.match(line):
            yield offset, len(atx[1]), atx[2]
            before = ""
        elif before.strip() and (under := _UNDERLINE.match(line)):
            yield before_offset, 1 if under[1] else 2, before
            before = ""
        else:
            before, before_offset = ("" if line.startswith(("    ", "\t", "|", ">", "-")) else line), offset
        offset += len(line) + 1
