"""What all texts and times of searches have in common."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field

from schemas.search.vowel_signs import character_class

WORD: Final = re.compile(rf"(?:[^\W_]|[{character_class()}])+")
"""As indexes tell words apart."""
_EARLIEST, _LATEST = datetime(1700, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_range(moment: datetime) -> datetime:
    # An index keeps times as nanoseconds in 64 bits, which end in 1677 and 2262.
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("the time must lie between the years 1700 and 2200")
    return moment


def _searchable(text: str) -> str:
    if not WORD.search(text):
        raise ValueError("the text has no word to search for")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
SearchText = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_searchable)]
