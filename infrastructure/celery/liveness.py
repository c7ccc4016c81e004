"""Whether Redis still answers the worker's BRPOP."""

from time import monotonic


class Liveness:
    """The state of the worker's BRPOP; written by Celery's thread, read by the watchdog's."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self.refusal = ""
        """Why Redis refuses BRPOP, for an operator; empty while it doesn't."""

    def asked(self) -> None:
        """BRPOP was sent. One sent again over a new connection counts from the first time."""
        if self._asked_at is None:
            self._asked_at = monotonic()

    def answered(self) -> None:
        """Redis answered, with or without a doorbell."""
        self._asked_at = None
        self.refusal = ""

    def refused(self, reason: str) -> None:
        """Redis answered with an error: the worker isn't stalled, but gets no doorbells until the reason is gone."""
        self._asked_at = None
        self.refusal = reason

    def __json__(self) -> str:
        """As `celery inspect stats` shows it, among the transport's options."""
        return f"silent for {self.silent_seconds:.1f} s"

    @property
    def silent_seconds(self) -> float:
        """Seconds since BRPOP was sent without a reply, 0 when none is open. Redis replies within a second; a full
        worker sends none."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else monotonic() - asked_at
