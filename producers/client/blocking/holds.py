# Generated from asynchronous/holds.py by `python -m producers.packaging`: edit that one.
"""Holds: what keeps jobs from running."""

from producers.client.blocking.ports import Caller
from producers.client.requests import Id, delete, get, path, post
from schemas.holds import Hold, NewHold
from schemas.holds import Holds as HoldList


class Holds:
    """What keeps jobs of yours from running. Needs an admin key. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self) -> tuple[Hold, ...]:
        """Your own, and those an operator made for everybody."""
        return self._client.ask(HoldList, get(path("holds"))).holds

    def create(self, wanted: NewHold) -> Hold:
        """Keeps your jobs that match from running, until it is deleted. Repeating it is safe."""
        return self._client.ask(Hold, post(path("holds"), wanted))

    def delete(self, hold_id: Id) -> None:
        """Lets go on what it held. ProblemAnswer when there is no such hold of yours."""
        self._client.send(delete(path("holds", hold_id)))
