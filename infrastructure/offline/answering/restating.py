"""What does an instruction itself say, where there is no document to write from?"""

import re
from typing import Final

MAX_CHARACTERS: Final = 4_000
"""A longer text is one to sum up."""
_HEADING = re.compile(r"\A[^\n]{1,300}\n[ \t]*\n")
_ASKS = re.compile(
    r"(?P<before>^[ \t]*|(?<=[.!?])[ \t]+)(?:Please )?(?:Say|State|Report|Describe|Name|List|Give|Explain|Write|Mention)\b"
    r"(?: that\b)?[ \t]+(?P<first>\S)",
    re.MULTILINE,
)


def restated(instruction: str) -> str:
    """The instruction without its heading, and without the words by which it asks: `State the fee of EUR 5.` says `The fee of EUR
    5.` A list stays one."""
    text = _HEADING.sub("", instruction.strip()).strip()
    return _ASKS.sub(lambda found: f"{found['before']}{found['first'].upper()}", text)
