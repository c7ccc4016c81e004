"""Which dates does the text name?"""

import re
from collections.abc import Callable, Iterator
from datetime import date

from events.ai import DateMention
from infrastructure.offline.extraction.months import MONTHS

_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_BLANK = r"[ \u00a0\u202f\n]{1,2}"

_ISO = re.compile(r"(?<![\w/.-])(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?![\d/-])")
_DAY_MONTH_YEAR = re.compile(
    rf"(?<![\w.,/])(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|º|°|\.)?(?:{_BLANK}(?:day{_BLANK})?(?:of|de|di)\b)?[-\s\u00a0\u202f]{{1,2}}"
    rf"(?P<m>{_MONTH}),?(?:{_BLANK}del?\b)?[-\s\u00a0\u202f]{{1,2}}(?P<y>\d{{4}})(?!\d)",
    re.IGNORECASE,
)
_MONTH_DAY_YEAR = re.compile(
    rf"\b(?P<m>{_MONTH}){_BLANK}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?{_BLANK}(?P<y>\d{{4}})(?!\d)", re.IGNORECASE
)
_NUMERIC = re.compile(r"(?<![\w./-])(?P<a>\d{1,2})(?P<s>[./-])[ ]?(?P<b>\d{1,2})(?P=s)[ ]?(?P<y>\d{4})(?![\w/-]|\.\d)")
_MONTH_YEAR = re.compile(rf"\b(?P<m>{_MONTH}),?{_BLANK}(?:de{_BLANK})?(?P<y>\d{{4}})(?!\d)", re.IGNORECASE)


def dates_in(text: str, language: str) -> list[DateMention]:
    """Every date, in order, as written; with its ISO form where the text leaves no choice."""
    mentions: list[DateMention] = []
    end = 0
    for start, finish, iso in sorted(_candidates(text, language), key=lambda found: (found[0], -found[1])):
        if start >= end:
            mentions.append(DateMention(text=text[start:finish], offset=start, iso=iso))
            end = finish
    return mentions


def _candidates(text: str, language: str) -> Iterator[tuple[int, int, str | None]]:
    readers: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = (
        (_ISO, lambda match: _day(match["y"], match["m"], match["d"])),
        (_DAY_MONTH_YEAR, _named),
        (_MONTH_DAY_YEAR, _named),
        (_NUMERIC, lambda match: _numeric(match, language)),
        (_MONTH_YEAR, lambda match: (_day(match["y"], _month(match["m"]), 1) or "")[:7] or None),
    )
    for pattern, read in readers:
        for match in pattern.finditer(text):
            yield match.start(), match.end(), read(match)


def _named(match: re.Match[str]) -> str | None:
    return _day(match["y"], _month(match["m"]), match["d"])


def _numeric(match: re.Match[str], language: str) -> str | None:
    """Day first with dots, everywhere; with slashes and dashes only where the numbers or the language decide it."""
    first, second = int(match["a"]), int(match["b"])
    day_first = match["s"] == "." or first > 12 or first == second or language in _DAY_FIRST_LANGUAGES
    if day_first:
        return _day(match["y"], second, first)
    if second > 12:
        return _day(match["y"], first, second)
    return None


_DAY_FIRST_LANGUAGES = frozenset({"de", "fr", "es", "it", "nl", "pt", "pl", "da", "nb", "no", "fi", "cs"})
"""English is not among them: it is written both ways round."""


def _month(name: str) -> int:
    """Its number; 0 for letters such as the dotted capital I, which match a name without case but don't fold to it."""
    return MONTHS.get(name.rstrip(".").casefold(), 0)


def _day(year: str, month: int | str, day: int | str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
