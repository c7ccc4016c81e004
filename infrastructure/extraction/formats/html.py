"""The text of a web page: what a reader would see, a block a line."""

import re
from collections.abc import Callable, Mapping

import numpy as np
from lxml import etree

from infrastructure.extraction.decoding import decode
from infrastructure.extraction.refusal import Refusal
from infrastructure.extraction.text_builder import TextBuilder, one_line
from infrastructure.ports.extraction import Reason

META_BYTES = 4 * 1024
_CHARSET = re.compile(
    rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})|<\?xml[^>]{0,200}?encoding=[\"']([A-Za-z0-9_.-]{1,40})",
    re.IGNORECASE,
)
FED_AT_ONCE = 1024 * 1024
"""Bytes of a page, after which its lines are made, so that no more than these are held in parts."""


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


BLOCKS = _names(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form header hgroup hr html legend li main menu nav ol optgroup option p search section summary table tbody "
    "tfoot thead tr ul"
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
UNSEEN = _names("script style template noscript svg math iframe object canvas select textarea")
BREAK, CELL = "\x1e", "\x1f"
"""Stand in a page's letters for the ends of lines and the beginnings of cells. No text keeps a control character."""
_START_MARKS = dict.fromkeys([*BLOCKS, "br"], BREAK) | dict.fromkeys(("td", "th"), CELL)
_END_MARKS = dict.fromkeys(BLOCKS, BREAK)
_OWN_MARKS = (b"\0", BREAK.encode(), CELL.encode())

_SPACE = "\t\n\v\f\r\x1c\x1d"
_WIDE_SPACE = (
    "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.split` parts at, besides the blank."""


def read_html(content: bytes, text: TextBuilder) -> None:
    found, text.encoding = decode(content, declared=_declared_in(content))
    read_html_text(found, text)


def read_html_text(html: str, text: TextBuilder) -> None:
    """Of a page that was decoded already, such as the body of an e-mail."""
    encoded = html.encode(errors="ignore")
    for mark in _OWN_MARKS:
        encoded = encoded.replace(mark, b"")
    # Where a block has ended a paragraph early, its own end is none to libxml2, and yet breaks the line in a browser.
    # Before the end the mark is part of the paragraph's letters; behind it, it would be one event more.
    for end in (b"</p>", b"</P>"):
        encoded = encoded.replace(end, BREAK.encode() + end)
    page = _Page(text)
    # `huge_tree` lifts limits at which libxml2 would leave out the rest of a page without a word. There is no tree.
    parser = etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True)
    for begin in range(0, len(encoded), FED_AT_ONCE):
        parser.feed(encoded[begin : begin + FED_AT_ONCE] if len(encoded) > FED_AT_ONCE else encoded)
        page.add_whole_lines()
    parser.close()


def _declared_in(content: bytes) -> str | None:
    found = _CHARSET.search(content, 0, META_BYTES)
    return None if found is None else (found[1] or found[2]).decode("ascii")


class _Page:
    """Takes a page's elements as they are read; every start has its end. No tree is made, so that depth costs nothing.

    These are called for every element, and what they do decides how long a page takes. So letters go to a list without
    any code of ours, with marks between them, and become lines many at a time.
    """

    __slots__ = (
        "_aside",
        "_aside_depth",
        "_aside_tag",
        "_depth",
        "_heading",
        "_max_depth",
        "_parts",
        "_pre",
        "_text",
        "data",
    )

    def __init__(self, text: TextBuilder) -> None:
        self._text = text
        self._max_depth = text.limits.html_depth
        self._parts: list[str] = []
        self.data = self._parts.append
        self._depth = 0
        self._aside_tag = ""
        """The element whose letters are no part of the text; empty outside of one."""
        self._aside_depth = 0
        self._aside = 0
        """The first of its parts."""
        self._pre = 0
        self._heading = 0

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._depth = depth = self._depth + 1
        if depth > self._max_depth:
            raise Refusal(Reason.EXPANDS_TOO_FAR, f"Its elements are nested more than {self._max_depth:,} deep.")
        if tag in _START_MARKS:
            self.data(_START_MARKS[tag])
        elif tag in _STARTS and not self._aside_tag:
            _STARTS[tag](self, tag)

    def end(self, tag: str) -> None:
        if tag in _END_MARKS:
            self.data(_END_MARKS[tag])
        elif self._depth == self._aside_depth:
            self._end_aside()
        elif tag in _ENDS and not self._aside_tag:
            _ENDS[tag](self, tag)
        self._depth -= 1

    def close(self) -> None:
        self._break()

    def add_whole_lines(self) -> None:
        """Takes all lines but the last, which may go on."""
        aside = self._cut_aside()
        joined = "".join(self._parts)
        end = max(joined.rfind(BREAK), joined.rfind("\n") if self._pre else -1) + 1
        self._parts[:] = [joined[end:]]
        self._add(joined[:end])
        self._aside = len(self._parts)
        if self._aside_tag == "title":
            self._parts += aside

    def _break(self) -> None:
        joined = "".join(self._parts)
        self._parts.clear()
        self._add(joined)

    def _add(self, joined: str) -> None:
        lines = _preformatted_lines(joined) if self._pre else _lines(joined)
        if not lines:
            return
        if self._heading:
            self._text.heading(lines[0], self._heading)
            self._heading = 0
        self._text.line("\n".join(lines))

    def begin_heading(self, tag: str) -> None:
        self._break()
        self._heading = HEADINGS[tag]

    def end_heading(self, _tag: str) -> None:
        self._break()
        self._heading = 0

    def begin_preformatted(self, _tag: str) -> None:
        self._break()
        self._pre += 1

    def end_preformatted(self, _tag: str) -> None:
        self._break()
        self._pre -= 1

    def begin_title(self, tag: str) -> None:
        if self._text.title is None:
            self.begin_aside(tag)

    def begin_aside(self, tag: str) -> None:
        self._aside_tag = tag
        self._aside_depth = self._depth
        self._aside = len(self._parts)

    def _end_aside(self) -> None:
        aside = self._cut_aside()
        if self._aside_tag == "title":
            self._text.title = one_line("".join(aside)) or None
        self._aside_tag = ""
        self._aside_depth = 0

    def _cut_aside(self) -> list[str]:
        """Takes its letters out of the parts, and gives them."""
        if not self._aside_tag:
            return []
        aside = self._parts[self._aside :]
        del self._parts[self._aside :]
        return aside


_Step = Callable[[_Page, str], None]
_STARTS: Mapping[str, _Step] = (
    dict.fromkeys(HEADINGS, _Page.begin_heading)
    | dict.fromkeys(UNSEEN, _Page.begin_aside)
    | {"pre": _Page.begin_preformatted, "title": _Page.begin_title}
)
_ENDS: Mapping[str, _Step] = dict.fromkeys(HEADINGS, _Page.end_heading) | {"pre": _Page.end_preformatted}


def _preformatted_lines(joined: str) -> list[str]:
    lines = [line.lstrip(CELL).replace(CELL, "\t").rstrip() for line in joined.replace(BREAK, "\n").split("\n")]
    return [*filter(None, lines)]


def _lines(joined: str) -> list[str]:
    """White space counts once, and a tab between cells stays."""
    for space in _SPACE if joined.isascii() else _SPACE + _WIDE_SPACE:
        joined = joined.replace(space, " ")
    lines = joined.split(BREAK)
    if CELL in joined:
        lines = [_row(line) if CELL in line else line for line in lines]
    lines = [stripped for line in lines if (stripped := line.strip(" "))]
    return [" ".join(line.split()) if "  " in line else line for line in lines] if _has_blanks(joined) else lines


def _has_blanks(text: str) -> bool:
    """Whether two stand beside each other: what `"  " in text` says, in a fifth of the time where there are single ones."""
    blanks = np.frombuffer(text.encode(errors="replace"), np.uint8) == ord(" ")
    return bool((blanks[:-1] & blanks[1:]).any())


def _row(line: str) -> str:
    row = "\t".join([" ".join(cell.split()) for cell in line.lstrip(CELL).split(CELL)])
    return "" if row.isspace() else row
