# Generated from asynchronous/keys.py by `python -m producers.packaging`: edit that one.
"""Data keys: what a tenant's texts are sealed with. `RotateKeys` is a command, submitted like any other."""

from producers.client.blocking.ports import Caller
from producers.client.requests import get, path
from schemas.keys import TenantKey, TenantKeys


class Keys:
    """Your data keys. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[TenantKey, ...]:
        """The newest first. Their material never leaves the vault."""
        return self._client.ask(TenantKeys, get(path("keys"))).keys
