# Generated from asynchronous/api_keys.py by `python -m producers.packaging`: edit that one.
"""API keys: who may ask for what in a tenant's name."""

from producers.client.blocking.ports import Caller
from producers.client.requests import delete, get, path, post
from schemas.api_keys import ApiKey, ApiKeyCreated, NewApiKey
from schemas.api_keys import ApiKeys as ApiKeyList


class ApiKeys:
    """Your tenant's API keys. Needs an admin key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[ApiKey, ...]:
        """Revoked ones too, the newest first."""
        return self._client.ask(ApiKeyList, get(path("api-keys"))).keys

    def create(self, wanted: NewApiKey) -> ApiKeyCreated:
        """With the key itself, which is shown this once. Isn't repeated when the connection breaks: look whether it was
        made."""
        return self._client.ask(ApiKeyCreated, post(path("api-keys"), wanted, repeatable=False))

    def revoke(self, key_id: str) -> None:
        """It opens nothing any more, everywhere within five seconds. Repeating it is safe."""
        self._client.send(delete(path("api-keys", key_id)))
