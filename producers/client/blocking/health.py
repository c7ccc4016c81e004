# Generated from asynchronous/health.py by `python -m producers.packaging`: edit that one.
"""Health: whether the ingress is up, and the servers that it needs."""

from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.exchange import Request
from schemas.health import Alive, Ready

NOT_READY: Final = 503


class Health:
    """The ingress itself. Every call may raise Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def alive(self) -> Alive:
        """Whether the process answers."""
        return self._client.ask(Alive, Request("GET", "/healthz"))

    def ready(self) -> Ready:
        """Whether it can do its work, and which part refuses if it can't."""
        return self._client.ask(Ready, Request("GET", "/readyz", accepts=frozenset({NOT_READY})))
