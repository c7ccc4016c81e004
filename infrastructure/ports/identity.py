"""Authentication of clients without an API key."""

from collections.abc import Mapping
from typing import Any, Protocol


class Issuer(Protocol):
    """An identity provider whose tokens are accepted."""

    async def claims(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a valid token of this issuer for our audience; None for any other. They include `exp`, in
        seconds before the year 10000.

        Unavailable when its keys were never fetched and can't be fetched now. Safe to repeat.
        """
        ...
