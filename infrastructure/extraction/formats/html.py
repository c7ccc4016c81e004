"""The text of a web page: what a reader would see, a block a line."""

import re
from html.parser import HTMLParser

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
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre search "
    "section summary table tbody tfoot thead tr ul"
)
CELLS = frozenset(("td", "th"))
CELL_END = "\x1f"
HEADINGS = {f"h{level}": level for level in range(1, 7)}
UNSEEN = _names("script style template noscript svg math iframe object canvas select textarea")
VOID = _names("area base br col embed hr img input link meta param source track wbr")


def read_html(content: bytes, text: TextBuilder) -> None:
    found, text.encoding = decode(content, declared=_declared_in(content))
    read_html_text(found, text)


def read_html_text(html: str, text: TextBuilder) -> None:
    """Of a page that was decoded already, such as the body of an e-mail."""
    page = _Page(text)
    page.feed(html)
    page.close()
    page.end()


def _declared_in(content: bytes) -> str | None:
    found = _CHARSET.search(content, 0, META_BYTES)
    return None if found is None else (found[1] or found[2]).decode("ascii")


class _Page(HTMLParser):
    """Keeps no tree, so that depth costs nothing: only how many unseen elements are open, and the line in the making."""

    def __init__(self, text: TextBuilder) -> None:
        super().__init__(convert_charrefs=True)
        self._text = text
        self._line: list[str] = []
        self._unseen: str | None = None
        self._unseen_depth = 0
        self._pre = 0
        self._depth = 0
        self._title: list[str] | None = None
        self._heading = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._depth += 1
            if self._depth > self._text.limits.html_depth:
                raise Refusal(
                    Reason.EXPANDS_TOO_FAR, f"Its elements are nested more than {self._text.limits.html_depth:,} deep."
                )
        if self._unseen is not None:
            self._unseen_depth += tag == self._unseen
        elif tag in UNSEEN:
            self._unseen, self._unseen_depth = tag, 1
        elif tag == "br":
            self._break()
        elif tag in BLOCKS:
            self._break()
            self._heading = HEADINGS.get(tag, 0)
            self._pre += tag == "pre"
        elif tag in CELLS and self._line:
            self._line.append(CELL_END)
        elif tag == "title" and self._text.title is None:
            self._title = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._depth = max(self._depth - 1, 0)
        if self._unseen is not None:
            self._unseen_depth -= tag == self._unseen
            if not self._unseen_depth:
                self._unseen = None
        elif tag == "title" and self._title is not None:
            self._text.title = one_line("".join(self._title)) or None
            self._title = None
        elif tag in BLOCKS:
            self._break()
            self._pre = max(self._pre - (tag == "pre"), 0)

    def handle_data(self, data: str) -> None:
        if self._unseen is not None:
            return
        if self._title is not None:
            self._title.append(data)
        elif self._pre:
            *lines, last = data.split("\n")
            for line in lines:
                self._line.append(line)
                self._break()
            self._line.append(last)
        else:
            self._line.append(data)

    def updatepos(self, i: int, j: int) -> int:
        # Nobody asks for line numbers, and counting them takes a tenth of the time.
        return j

    def end(self) -> None:
        self._break()

    def _break(self) -> None:
        if not self._line:
            return
        joined = "".join(self._line)
        self._line.clear()
        line = joined.rstrip() if self._pre else _one_space(joined)
        if not line.strip():
            return
        if self._heading:
            self._text.heading(line, self._heading)
            self._heading = 0
        self._text.line(line)


def _one_space(line: str) -> str:
    """White space counts once, and a tab between cells stays."""
    if CELL_END not in line:
        return " ".join(line.split())
    return "\t".join(" ".join(cell.split()) for cell in line.split(CELL_END))
