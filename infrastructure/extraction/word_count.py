"""How many words does a text have, as white space parts them?"""

import re

_WIDE_BLANKS = tuple(
    (pattern[:1], re.compile(pattern))
    for pattern in (
        b"\xc2[\x85\xa0]",
        b"\xe1\x9a\x80",
        b"\xe2\x80[\x80-\x8a\xa8\xa9\xaf]",
        b"\xe2\x81\x9f",
        b"\xe3\x80\x80",
    )
)
"""White space beyond ASCII in UTF-8, and the byte it begins with. One pattern for all of it takes four times as long."""


def count_words(text: str) -> int:
    """As many as `str.split` finds, without making millions of strings of a long text."""
    # Imported here: a worker that never counts words needs no numpy. Who does has told the text's language with it.
    import numpy as np

    encoded = text.encode(errors="replace")
    if not text.isascii():
        for first, blank in _WIDE_BLANKS:
            if first in encoded:
                encoded = blank.sub(b" ", encoded)
    letters = np.frombuffer(encoded, np.uint8)
    # Of unsigned bytes, so that what is less wraps around and is far more: tab to carriage return, and the separators.
    blanks = (letters == ord(" ")) | (letters - 0x09 < 5) | (letters - 0x1C < 4)
    return int(np.count_nonzero(blanks[:-1] > blanks[1:])) + bool(encoded and not blanks[0])
