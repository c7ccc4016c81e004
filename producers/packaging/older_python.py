"""What Python 3.10 lacks of the names that our sources take from the standard library."""

import sys
from datetime import timezone

if sys.version_info >= (3, 11):
    from enum import StrEnum
    from typing import Self, Unpack
else:
    from enum import Enum

    from typing_extensions import Self, Unpack

    class StrEnum(str, Enum):
        """As the one of Python 3.11: it is written as its value."""

        __str__ = str.__str__
        __format__ = str.__format__


UTC = timezone.utc

__all__ = ["UTC", "Self", "StrEnum", "Unpack"]
