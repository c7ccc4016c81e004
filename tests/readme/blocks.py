"""README's fenced blocks, in order, and what the comment before each says about running it.

A block runs as it stands. One that can't has a comment right before it, which readers of the page don't see:

    <!-- not run: it is what runs this file -->     left out, for this reason
    <!-- file: documents.jsonl -->                  saved under this name, for the blocks that follow
    <!-- until: stream.started -->                  goes on for ever, so it is ended once it has printed this
    <!-- beside: serving until Ctrl-C -->           goes on beside the blocks that follow, which wait until it has printed this
"""

import re
from dataclasses import dataclass

MARKERS = ("not run", "file", "until", "beside")
_BLOCK = re.compile(
    r"^(?: *<!-- (?P<marker>[^\n]*?) -->\n+)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PROMPT = "$ "
_ANYTHING = "…"


class Unreadable(Exception):
    """README has a block that this can't take apart. The message says which, and what to write."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block, with the lines that it prints according to README."""

    text: str
    printed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    line: int
    """Where its text begins."""
    language: str
    text: str
    marker: str = ""
    about: str = ""
    """What the marker says after its colon."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """Of a console block: each prompt's command, which may go on over lines that end with a backslash."""
        found: list[Command] = []
        unended = False
        for line in self.text.splitlines():
            if unended:
                found[-1] = Command(f"{found[-1].text}\n{line}")
            elif line.startswith(_PROMPT):
                found.append(Command(line.removeprefix(_PROMPT)))
            elif found:
                found[-1] = Command(found[-1].text, (*found[-1].printed, line))
            else:
                raise Unreadable(f"line {self.line}: a console block begins with a command, after '{_PROMPT}'")
            unended = (unended or line.startswith(_PROMPT)) and line.endswith("\\")
        return tuple(found)


def blocks_of(page: str) -> list[Block]:
    """Every fenced block. Unreadable for one that isn't closed, or has a marker that nobody knows."""
    blocks = [_block(page, found) for found in _BLOCK.finditer(page)]
    if len(blocks) * 2 != len(re.findall(r"^ *```", page, re.MULTILINE)):
        raise Unreadable("a fence is opened and not closed, or the other way round")
    return blocks


def _block(page: str, found: re.Match[str]) -> Block:
    line = page.count("\n", 0, found.start("text")) + 1
    indent = len(found["indent"])
    text = "".join(one[indent:] if one.strip() else one for one in found["text"].splitlines(keepends=True))
    marker, colon, about = (found["marker"] or "").partition(": ")
    if marker and (marker not in MARKERS or not colon or not about.strip()):
        raise Unreadable(
            f"line {line}: '{found['marker']}' is no marker: write one of {', '.join(MARKERS)}, a colon and more"
        )
    return Block(line, found["language"], text, marker, about.strip())


def is_printed(expected: str, output: str) -> bool:
    """Whether a line of the output is the expected one, in which `…` stands for anything."""
    pattern = ".*".join(map(re.escape, expected.split(_ANYTHING)))
    return any(re.fullmatch(pattern, line.rstrip()) for line in output.splitlines())
