"""A Lua script that Redis runs as one step: nothing else happens meanwhile."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from infrastructure.redis.connection import RedisConnection


class Script:
    """The script of that file in a package. Every key that it touches is given to it."""

    def __init__(self, package: str, file: str) -> None:
        self._text = (files(package) / file).read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, connection: RedisConnection, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """What it returns. Raises one of the client's FAULTS; it may have run then or not."""
        given = (len(keys), *keys, *arguments)
        try:
            (reply,) = await connection.ask(("EVALSHA", self._digest, *given))
        except NoScriptError:
            # A Redis that has started anew, or whose scripts were flushed: it ran nothing.
            (reply,) = await connection.ask(("EVAL", self._text, *given))
        return reply
