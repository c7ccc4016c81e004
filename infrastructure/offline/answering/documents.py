"""The documents inside of a prompt, as `workers/ai/documents_in_prompt.py` writes them."""

import html
import re
from dataclasses import dataclass, field

# No text of a document can end its block, so each ends at the first line that does.
_BLOCK = re.compile(
    r'^<document id="(?P<id>[^"\n]*)"(?: version="\d+")?>\n(?P<text>.*?)\n</document>$', re.MULTILINE | re.DOTALL
)
_ESCAPED_END = re.compile(r"<(\s*)\\/(?=\s*document)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GivenDocument:
    id: str
    text: str = field(repr=False)


def documents_in(prompt: str) -> tuple[GivenDocument, ...]:
    """In order; the whole prompt, without an id, where it has no blocks."""
    found = tuple(
        GivenDocument(html.unescape(block["id"]), _ESCAPED_END.sub(r"<\1/", block["text"]))
        for block in _BLOCK.finditer(prompt)
    )
    return found or (GivenDocument("", prompt),)
