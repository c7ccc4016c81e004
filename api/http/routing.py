"""Routes whose `{id}` may have slashes."""

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.routing import Match, Route
from starlette.types import Scope

_PARAMETER: Final = re.compile(r"{(\w+)}")


class IdRoute(Route):
    """A route whose `id` is one part of the address or several: `/api/documents/contracts/2026/0117`.

    It matches the address as it was sent, before anything in it is decoded. So `%2F` belongs to an id in any case, while a
    `/` may end it: of `/api/documents/contracts/2026/text` the id is `contracts/2026`, and of
    `/api/documents/contracts%2F2026%2Ftext` it is `contracts/2026/text`. Routes with more after the id go first.
    """

    def __init__(self, path: str, endpoint: Any, *, methods: frozenset[str] | None = None) -> None:
        """With `methods`, an address that could be an id's: a request with another method goes on to the routes after
        this one."""
        super().__init__(path, endpoint)
        self._only = methods
        self._pattern = re.compile(_PARAMETER.sub(_group, path))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or (self._only is not None and scope["method"] not in self._only):
            return Match.NONE, {}
        found = self._pattern.fullmatch(scope["raw_path"].decode("latin-1"))
        if found is None:
            return Match.NONE, {}
        path = {name: _decoded(value) for name, value in found.groupdict().items()}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": path}


def _group(parameter: re.Match[str]) -> str:
    name = parameter[1]
    return f"(?P<{name}>{'.+' if name == 'id' else '[^/]+'})"


def _decoded(part: str) -> str:
    # What isn't UTF-8 becomes a character that no id has, and so isn't found.
    return unquote_to_bytes(part).decode(errors="replace")
