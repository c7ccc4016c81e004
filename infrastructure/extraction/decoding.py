"""Text from bytes whose encoding nobody declares, or declares wrongly."""

import codecs
import re
from collections.abc import Iterator

import cchardet

SAMPLE_BYTES = 128 * 1024
FALLBACK = "windows-1252"
"""What browsers take for text that says nothing; every byte means something in it."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPES = re.compile(rb"\x1b(?:\$[@B(]|\([BJI])")
"""How ISO-2022-JP and its kin change alphabets. Their bytes are ASCII, which UTF-8 would accept."""
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MAX_CONTROLS_SHARE = 0.005


def decode(content: bytes, *, declared: str | None = None) -> tuple[str, str]:
    """(the text, the encoding it was in). Never fails: bytes that mean nothing become U+FFFD."""
    for encoding in _candidates(content, declared):
        try:
            return content.decode(encoding), codecs.lookup(encoding).name
        except (UnicodeError, LookupError, ValueError):
            continue
    return content.decode(FALLBACK, errors="replace"), codecs.lookup(FALLBACK).name


def looks_like_text(beginning: bytes) -> bool:
    """Whether these are letters in some encoding rather than a program's data."""
    if not beginning or _mark_of(beginning) or _wide_without_mark(beginning):
        return True
    return len(_CONTROLS.findall(beginning)) <= MAX_CONTROLS_SHARE * len(beginning)


def narrow(beginning: bytes) -> bytes:
    """The same letters with ASCII's in one byte each, so that patterns find them."""
    wide = _mark_of(beginning) or _wide_without_mark(beginning)
    return beginning.decode(wide, errors="replace").encode(errors="replace") if wide else beginning


def _candidates(content: bytes, declared: str | None) -> Iterator[str]:
    if mark := _mark_of(content):
        yield mark
    if declared and _is_text_encoding(declared):
        yield declared
    if wide := _wide_without_mark(content[:SAMPLE_BYTES]):
        yield wide
    if not _ESCAPES.search(content, 0, SAMPLE_BYTES):
        yield "utf-8"
    if detected := cchardet.detect(_telling_part(content)).get("encoding"):
        yield detected
    yield FALLBACK


def _mark_of(content: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _is_text_encoding(name: str) -> bool:
    """Python has codecs that aren't alphabets, and some of those unpack."""
    try:
        return bool(codecs.lookup(name)._is_text_encoding)  # noqa: SLF001  # Python itself asks it so.
    except (LookupError, ValueError):
        return False


def _wide_without_mark(sample: bytes) -> str | None:
    """UTF-16 without its mark: spaces and line ends alone make every other byte null here and there, on one side."""
    sample = sample[:4096]
    if len(sample) < 4:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) // 2 * 0.05 or min(even, odd) > max(even, odd) * 0.1:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _telling_part(content: bytes) -> bytes:
    """A sample that has what lies beyond ASCII, cut at line ends, so that no letter is cut in two."""
    if len(content) <= SAMPLE_BYTES:
        return content
    first = re.search(rb"[\x80-\xff\x1b]", content)
    begin = content.rfind(b"\n", 0, first.start()) + 1 if first else 0
    end = content.rfind(b"\n", begin, begin + SAMPLE_BYTES)
    return content[begin : end if end > begin else begin + SAMPLE_BYTES]
