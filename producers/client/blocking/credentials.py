# Generated from asynchronous/credentials.py by `python -m producers.packaging`: edit that one.
"""Your own keys of the providers of models."""

from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.requests import delete, get, path, put
from schemas.ai.usage import CredentialState, CredentialStates, NewCredential

AI: Final = "ai"
CREDENTIALS: Final = "credentials"


class Credentials:
    """Used in place of the deployment's. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[CredentialState, ...]:
        """By provider. The keys themselves are never shown."""
        return self._client.ask(CredentialStates, get(path(AI, CREDENTIALS))).credentials

    def get(self, provider: str) -> CredentialState:
        return self._client.ask(CredentialState, get(path(AI, CREDENTIALS, provider)))

    def set(self, provider: str, key: str) -> CredentialState:
        """Used by calls that begin two seconds later at the latest, without a restart. Safe to repeat."""
        return self._client.ask(CredentialState, put(path(AI, CREDENTIALS, provider), NewCredential(key=key)))

    def remove(self, provider: str) -> None:
        """Within two seconds the deployment's key is used, if it has one."""
        self._client.send(delete(path(AI, CREDENTIALS, provider)))
