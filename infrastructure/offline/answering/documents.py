"""The documents inside of a prompt, as `workers/ai/documents_in_prompt.py` writes them."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# No text of a document can end its block, so each ends at the first line that does.
_BEGIN = re.compile(r'^<document id="(?P<id>[^"\n]{0,1000})"(?: version="\d{1,20}")?>\n', re.MULTILINE)
_END = "\n</document>"
_ESCAPED_END = re.compile(r"<(\s*)\\/(?=\s*document)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GivenDocument:
    id: str
    text: str = field(repr=False)


def parts_of(prompt: str) -> Iterator[str | GivenDocument]:
    """Its documents, and what stands before, between and after them."""
    place = 0
    while begin := _BEGIN.search(prompt, place):
        end = prompt.find(_END, begin.end() - 1)
        if end < 0:
            break  # Searching on from each further beginning would take the square of the prompt's length.
        yield prompt[place : begin.start()]
        text = prompt[begin.end() : max(end, begin.end())]
        yield GivenDocument(html.unescape(begin["id"]), _ESCAPED_END.sub(r"<\1/", text))
        place = end + len(_END)
    yield prompt[place:]
