"""How many words does a text have, as white space parts them?"""

import re

_BLANKS_AND_LETTERS = bytes(ord(" ") if byte < 0x80 and chr(byte).isspace() else ord("x") for byte in range(256))
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
    encoded = text.encode(errors="replace")
    if not text.isascii():
        for first, blank in _WIDE_BLANKS:
            if first in encoded:
                encoded = blank.sub(b" ", encoded)
    blanks_and_letters = encoded.translate(_BLANKS_AND_LETTERS)
    return blanks_and_letters.count(b" x") + blanks_and_letters.startswith(b"x")
