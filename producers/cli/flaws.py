"""What is wrong with what was typed, in a line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def flaws_of(error: "ValidationError", whole: str) -> str:
    """Where and why; `whole` names what has no field of its own to blame."""
    lines = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, line['loc'])) or whole}: {line['msg']}" for line in lines)
