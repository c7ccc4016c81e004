"""Where sentences begin and end, in plain text and in Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from infrastructure.offline import lexicons
from infrastructure.offline.extraction.months import MONTHS
from infrastructure.offline.text.words import WORD

LONGEST_SENTENCE_CHARACTERS = 1_500


class Block(Enum):
    HEADING = auto()
    PROSE = auto()
    TABLE = auto()


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    offset: int
    block: Block
    opens_block: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.text)


def sentences_in(text: str) -> tuple[Sentence, ...]:
    """Every sentence, heading and table row, in order. `text[s.offset:s.end] == s.text` for each."""
    return tuple(
        Sentence(text[start:end], start, block, opens_block=place == 0)
        for begin, finish, block in _blocks(text)
        for place, (start, end) in enumerate(_cut(text, begin, finish, block))
    )


def prose_in(text: str) -> tuple[Sentence, ...]:
    """The sentences alone, without headings and tables."""
    return tuple(sentence for sentence in sentences_in(text) if sentence.block is Block.PROSE)


_BULLET = re.compile(r"[ \t]{0,12}(?:[-*+•–—]|\(?[a-zA-Z0-9]{1,4}\))[ \t]+")
_NUMBER = re.compile(r"[ \t]{0,12}(?:\d{1,3}\.|\d{1,3}[A-Z]?(?:\.\d{1,3}){1,4}\.?|§\s?\d{1,4})[ \t]+")
_QUOTE_MARK = re.compile(r"[ \t]{0,3}>[ \t]?")
_LABEL = re.compile(r"\*\*[^*\n]{1,40}:\*\*\s|[^\W\d_][\w /-]{0,30}:(?:[ \t]{2,}|$)")
_WIDE_GAP = re.compile(r"\S[ ]{3,}\S")
_NUMBERED_TITLE = re.compile(
    r"(?:\d{1,3}[A-Z]?(?:\.\d{1,3}){0,4}\.?|[IVXLC]{1,6}\.|§\s?\d{1,4}|(?i:Art(?:icle|ikel|\.))\s?\d{1,3})\s"
)
_LONGEST_TITLE_CHARACTERS = 90
_DEEP_INDENT = " " * 12


def _blocks(text: str) -> Iterator[tuple[int, int, Block]]:
    """The paragraphs, list items, headings and table rows, by their first and last character."""
    open_from: int | None = None
    open_to = offset = 0
    for line in text.splitlines(keepends=True):
        start, offset = offset, offset + len(line)
        bare = line.strip()
        alone = _alone(line, bare, begins=open_from is None)
        marker = None if alone else _marker(line, mid_sentence=open_from is not None and text[open_to - 1] not in ".;:")
        if open_from is not None and (not bare or alone or marker):
            yield open_from, open_to, Block.PROSE
            open_from = None
        if alone:
            yield start, offset, alone
        elif bare:
            if open_from is None:
                open_from = start + (marker.end() if marker else 0)
            open_to = start + len(line.rstrip())
    if open_from is not None:
        yield open_from, open_to, Block.PROSE


def _marker(line: str, *, mid_sentence: bool) -> re.Match[str] | None:
    """The sign before a list item or a clause. A number that opens a wrapped line, as in "at⏎10.00 a.m.", is none."""
    return _BULLET.match(line) or _QUOTE_MARK.match(line) or (None if mid_sentence else _NUMBER.match(line))


def _alone(line: str, bare: str, *, begins: bool) -> Block | None:
    """What a line that belongs to no paragraph is. Titles without a mark count only where a paragraph could begin."""
    if not bare:
        return None
    if bare.startswith("#"):
        return Block.HEADING
    if bare.count("|") >= 2 or "\t" in bare or _LABEL.match(bare) or not WORD.search(bare):
        return Block.TABLE
    if _WIDE_GAP.search(bare) or (begins and line.startswith(_DEEP_INDENT)):
        return Block.TABLE
    if begins and len(bare) <= _LONGEST_TITLE_CHARACTERS and bare[-1] not in '.;:,!?)”"»':
        if bare.isupper() or (bare.startswith("**") and bare.endswith("**")):
            return Block.HEADING
        if _NUMBERED_TITLE.match(bare) and len(bare.split()) <= 9:
            return Block.HEADING
    return None


_STOP = re.compile(r"[.!?…]{1,4}[\"'”’»)\]*_]{0,4}(?=\s)")
_NOT_SPACE = re.compile(r"\S")
_LAST_TOKEN = re.compile(r"[^\s(\[“„«\"]{1,24}\Z")
_OPENERS = "\"'“„«([*_§$€£"

_ABBREVIATIONS = lexicons.words("abbreviations")


def _cut(text: str, begin: int, finish: int, block: Block) -> Iterator[tuple[int, int]]:
    """The pieces of one block, without the blanks around them."""
    start = begin
    if block is Block.PROSE:
        for stop in _STOP.finditer(text, begin, finish):
            if _ends_sentence(text, start, stop, finish):
                yield from _bounded(text, start, stop.end())
                start = stop.end()
    yield from _bounded(text, start, finish)


def _ends_sentence(text: str, start: int, stop: re.Match[str], finish: int) -> bool:
    following = _NOT_SPACE.search(text, stop.end(), finish)
    if following is None:
        return True
    first = following.group()
    if not (first.isupper() or first.isdigit() or first in _OPENERS):
        return False
    if not stop.group().startswith("."):
        return True
    token = _LAST_TOKEN.search(text, max(start, stop.start() - 24), stop.start())
    if token is None:
        return True
    last = token.group()
    if last.isdigit() and len(last) <= 2:
        # "14. März" is a date; "see Schedule 2. The Supplier" is not.
        word = WORD.match(text, following.start(), finish)
        return word is None or word.group().casefold() not in MONTHS
    return not (last.casefold() in _ABBREVIATIONS or (len(last) == 1 and last.isupper()))


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without the blanks around it, broken at a blank where no sentence should be that long."""
    while start < end:
        piece = text[start : min(end, start + LONGEST_SENTENCE_CHARACTERS)]
        if start + len(piece) < end and (blank := piece.rfind(" ")) > 0:
            piece = piece[:blank]
        kept = piece.strip()
        if kept:
            first = start + piece.index(kept[0])
            yield first, first + len(kept)
        start += max(len(piece), 1)
