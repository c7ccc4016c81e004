"""Ingestion profiles: what is done with a document once it was imported."""

from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import delete, get, path, put, whole
from schemas.documents import IngestionProfile, IngestionProfiles, NamedProfile

PROFILES: Final = "document-profiles"


class AsyncProfiles:
    """Your ingestion profiles. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self) -> tuple[NamedProfile, ...]:
        """`default` first."""
        return (await self._client.ask(IngestionProfiles, get(path(PROFILES)))).profiles

    async def get(self, name: str) -> NamedProfile:
        return await self._client.ask(NamedProfile, get(path(PROFILES, name)))

    async def set(self, name: str, profile: IngestionProfile) -> NamedProfile:
        """Makes it, or replaces all of it. Safe to repeat."""
        return await self._client.ask(NamedProfile, put(path(PROFILES, name), whole(profile)))

    async def remove(self, name: str) -> None:
        """Imports that name it get `default`, which itself becomes what it was at first."""
        await self._client.send(delete(path(PROFILES, name)))
