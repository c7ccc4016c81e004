# Generated from asynchronous/profiles.py by `python -m producers.packaging`: edit that one.
"""Ingestion profiles: what is done with a document once it was imported."""

from typing import Final

from producers.client.blocking.ports import Caller
from producers.client.requests import delete, get, path, put, whole
from schemas.documents import IngestionProfile, IngestionProfiles, NamedProfile

PROFILES: Final = "document-profiles"


class Profiles:
    """Your ingestion profiles. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[NamedProfile, ...]:
        """`default` first."""
        return self._client.ask(IngestionProfiles, get(path(PROFILES))).profiles

    def get(self, name: str) -> NamedProfile:
        return self._client.ask(NamedProfile, get(path(PROFILES, name)))

    def set(self, name: str, profile: IngestionProfile) -> NamedProfile:
        """Makes it, or replaces all of it. Safe to repeat."""
        return self._client.ask(NamedProfile, put(path(PROFILES, name), whole(profile)))

    def remove(self, name: str) -> None:
        """Imports that name it get `default`, which itself becomes what it was at first."""
        self._client.send(delete(path(PROFILES, name)))
