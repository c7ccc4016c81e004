"""Who vouches for callers that come without a key of ours."""

from collections.abc import Mapping
from typing import Any, Protocol


class Issuer(Protocol):
    """Signs tokens for people and programs elsewhere."""

    async def claims(self, token: str) -> Mapping[str, Any] | None:
        """What a valid token of this issuer, for us, says; None for every other. `exp` is among it,
        in seconds before the year 10000.

        Unavailable when its keys were never had and can't be had now. Safe to repeat.
        """
        ...
