"""The text of a web page: what a reader would see, a block a line."""

import re
from collections.abc import Callable, Mapping

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


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


BLOCKS = _names(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form header hgroup hr html legend li main menu nav ol optgroup option p search section summary table tbody "
    "tfoot thead tr ul"
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
UNSEEN = _names("script style template noscript svg math iframe object canvas select textarea")
CELL_END = "\x1f"
PARAGRAPH_END = "\x1e"


def read_html(content: bytes, text: TextBuilder) -> None:
    found, text.encoding = decode(content, declared=_declared_in(content))
    read_html_text(found, text)


def read_html_text(html: str, text: TextBuilder) -> None:
    """Of a page that was decoded already, such as the body of an e-mail."""
    encoded = html.encode(errors="ignore").replace(b"\0", b"")
    # Where a block has ended a paragraph early, its own end is none to libxml2, and yet breaks the line in a browser.
    for end in (b"</p>", b"</P>"):
        encoded = encoded.replace(end, end + PARAGRAPH_END.encode())
    # `huge_tree` lifts limits at which libxml2 would leave out the rest of a page without a word. There is no tree.
    parser = etree.HTMLParser(target=_Page(text), encoding="utf-8", huge_tree=True)
    parser.feed(encoded)
    parser.close()


def _declared_in(content: bytes) -> str | None:
    found = _CHARSET.search(content, 0, META_BYTES)
    return None if found is None else (found[1] or found[2]).decode("ascii")


class _Page:
    """Takes a page's elements as they are read; every start has its end. No tree is made, so that depth costs nothing."""

    def __init__(self, text: TextBuilder) -> None:
        self._text = text
        self._max_depth = text.limits.html_depth
        self._line: list[str] = []
        self._depth = 0
        self._unseen_depth = 0
        self._pre = 0
        self._title: list[str] | None = None
        self._heading = 0

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > self._max_depth:
            raise Refusal(Reason.EXPANDS_TOO_FAR, f"Its elements are nested more than {self._max_depth:,} deep.")
        if not self._unseen_depth and (begin := _STARTS.get(tag)):
            begin(self, tag)

    def end(self, tag: str) -> None:
        if self._unseen_depth:
            if self._depth == self._unseen_depth:
                self._unseen_depth = 0
        elif finish := _ENDS.get(tag):
            finish(self, tag)
        self._depth -= 1

    def data(self, data: str) -> None:
        if self._unseen_depth:
            return
        if self._title is not None:
            self._title.append(data)
            return
        if data.startswith(PARAGRAPH_END):
            self.break_line()
            data = data[1:]
            if not data:
                return
        if self._pre:
            *lines, last = data.split("\n")
            for line in lines:
                self._line.append(line)
                self.break_line()
            self._line.append(last)
        else:
            self._line.append(data)

    def close(self) -> None:
        self.break_line()

    def break_line(self, _tag: str = "") -> None:
        if not self._line:
            return
        joined = "".join(self._line)
        self._line.clear()
        line = joined.rstrip() if self._pre else _one_space(joined)
        if not line or line.isspace():
            return
        if self._heading:
            self._text.heading(line, self._heading)
            self._heading = 0
        self._text.line(line)

    def begin_heading(self, tag: str) -> None:
        self.break_line()
        self._heading = HEADINGS[tag]

    def end_heading(self, _tag: str) -> None:
        self.break_line()
        self._heading = 0

    def begin_preformatted(self, _tag: str) -> None:
        self.break_line()
        self._pre += 1

    def end_preformatted(self, _tag: str) -> None:
        self.break_line()
        self._pre -= 1

    def begin_cell(self, _tag: str) -> None:
        if self._line:
            self._line.append(CELL_END)

    def begin_title(self, _tag: str) -> None:
        if self._text.title is None:
            self._title = []

    def end_title(self, _tag: str) -> None:
        if self._title is not None:
            self._text.title = one_line("".join(self._title)) or None
            self._title = None

    def begin_unseen(self, _tag: str) -> None:
        self._unseen_depth = self._depth


_Step = Callable[[_Page, str], None]
_STARTS: Mapping[str, _Step] = (
    dict.fromkeys([*BLOCKS, "br"], _Page.break_line)
    | dict.fromkeys(HEADINGS, _Page.begin_heading)
    | dict.fromkeys(UNSEEN, _Page.begin_unseen)
    | dict.fromkeys(("td", "th"), _Page.begin_cell)
    | {"pre": _Page.begin_preformatted, "title": _Page.begin_title}
)
_ENDS: Mapping[str, _Step] = (
    dict.fromkeys(BLOCKS, _Page.break_line)
    | dict.fromkeys(HEADINGS, _Page.end_heading)
    | {"pre": _Page.end_preformatted, "title": _Page.end_title}
)


def _one_space(line: str) -> str:
    """White space counts once, and a tab between cells stays."""
    if CELL_END in line:
        return "\t".join(" ".join(cell.split()) for cell in line.split(CELL_END))
    line = line.strip()
    # Most lines have single blanks only. To be printable is to have no other white space, and takes longer to see.
    if "  " not in line and ((line.isascii() and not _has_other_space(line)) or line.isprintable()):
        return line
    return " ".join(line.split())


def _has_other_space(ascii_line: str) -> bool:
    # One after the other: a loop over them takes as long as everything else about a line.
    return "\n" in ascii_line or "\t" in ascii_line or "\r" in ascii_line or "\f" in ascii_line or "\v" in ascii_line
