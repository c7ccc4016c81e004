"""The text of a Rich Text Format document, by striprtf."""

import re

from striprtf.striprtf import rtf_to_text

from infrastructure.extraction.refusal import damaged
from infrastructure.extraction.text_builder import TextBuilder, one_line

_TITLE = re.compile(r"\{\\title ((?:[^{}\\]|\\[^{}]){1,500})\}")
_CODE_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")


def read_rtf(content: bytes, text: TextBuilder) -> None:
    found = _CODE_PAGE.search(content, 0, 1024)
    encoding = f"cp{found[1].decode()}" if found else "cp1252"
    # The format is ASCII, and says letters beyond it by their numbers.
    source = content.decode("latin-1")
    try:
        plain = rtf_to_text(source, encoding=encoding, errors="replace")
    except LookupError:
        plain = rtf_to_text(source, errors="replace")
    except (ValueError, IndexError, OverflowError):
        raise damaged("It isn't a whole RTF document: save it again with the program that made it.") from None
    if title := _TITLE.search(source, 0, 64 * 1024):
        text.title = one_line(rtf_to_text("{\\rtf1 " + title[1] + "}", encoding=encoding, errors="replace")) or None
    text.append(plain)
