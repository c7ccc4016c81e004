"""Does a passage say a value? Figures and days are compared as rules read them, and of a text's words half have to begin as some
of the passage do: a passage that stands in the text says nothing for a value that it doesn't mention."""

import re
from decimal import Decimal
from typing import Any

from infrastructure.offline.extraction.amounts import amounts_in, read_number
from infrastructure.offline.extraction.dates import dates_in

_FIGURE = re.compile(r"\d[\d.,'’ \u00a0\u202f]{0,30}\d|\d")
_WORD = re.compile(r"[^\W\d_]{3,}")
BEGINNING = 4
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LANGUAGES = ("en", "de")
"""Which between them read a point and a comma both ways."""


def supports(passage: str, value: Any, language: str) -> bool:
    match value:
        case bool():
            return True
        case int() | float():
            return number_is_in(passage, Decimal(str(value)))
        case str() if _ISO_DAY.fullmatch(value):
            read = [one.iso for one in dates_in(passage, language) if one.iso]
            return not read or value in read
        case str():
            return words_are_in(passage, value)
        case _:
            return True


def words_are_in(passage: str, value: str) -> bool:
    """Whether half of the value's words begin as words of the passage, as `monthly` does as `month`. What has no word of three
    letters, such as a country's code, can't be compared."""
    wanted = [word.casefold()[:BEGINNING] for word in _WORD.findall(value)]
    there = [word.casefold() for word in _WORD.findall(passage)]
    said = sum(any(word.startswith(beginning) for word in there) for beginning in wanted)
    return 2 * said >= len(wanted)


def number_is_in(passage: str, value: Decimal) -> bool:
    """Whether one of the passage's figures is the number, or the same in percent. A passage without figures may say it in
    words."""
    figures = _FIGURE.findall(passage)
    if not figures:
        return True
    read = {number for figure in figures for number in _readings(figure)}
    read |= {one.value for language in _LANGUAGES for one in amounts_in(passage, language)}
    return any(abs(value) in (number, number / 100) for number in read)


def _readings(figure: str) -> set[Decimal]:
    found: set[Decimal] = set()
    for language in _LANGUAGES:
        for written in (figure.strip(" .,"), *re.findall(r"\d+(?:[.,]\d+)?", figure)):
            try:
                number = read_number(written, language)
            except ArithmeticError:
                continue
            if number is not None:
                found.add(number)
            # A year's or a clause's point is no thousands' sign.
            if re.fullmatch(r"\d+[.,]\d+", written):
                found.add(Decimal(written.replace(",", ".")))
    return found
