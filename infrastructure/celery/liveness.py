"""Whether Redis still answers the worker's standing question for bells."""

from time import monotonic


class Liveness:
    """Written by Celery's thread, read by the one that watches it."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self.refusal = ""
        """Why Redis gives no bells, in words; empty while it does."""

    def asked(self) -> None:
        """A question that is asked again, over a new connection, has been open since it was first asked."""
        if self._asked_at is None:
            self._asked_at = monotonic()

    def answered(self) -> None:
        """There is an answer, be it that there are no bells; or none is wanted now."""
        self._asked_at = None
        self.refusal = ""

    def refused(self, reason: str) -> None:
        """It answers, and refuses: nobody is deaf, and there will be no bells until the reason is gone."""
        self._asked_at = None
        self.refusal = reason

    def __json__(self) -> str:
        """As `celery inspect stats` shows it, among the transport's options."""
        return f"silent for {self.silent_seconds:.1f} s"

    @property
    def silent_seconds(self) -> float:
        """How long the question has been open. Redis answers it within a second; nobody asks while the worker is full."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else monotonic() - asked_at
