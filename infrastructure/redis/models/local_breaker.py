"""A breaker of one process's own, for while Redis is away: the rules are those of breakers.lua."""

from dataclasses import dataclass

from infrastructure.ports.ai.breakers import Gate


@dataclass(frozen=True, slots=True)
class Rules:
    failures: int = 5
    """In a row, that open it."""
    open_seconds: float = 5.0
    """Until the first probe; twice as long each time that a probe fails."""
    max_open_seconds: float = 120.0
    lease_seconds: float = 30.0
    """A probe that hasn't ended by then has died with its process, or is a long answer: another is let through."""
    calm_seconds: float = 600.0
    """Closed for so long, it begins with the shortest time again."""


RULES = Rules()


@dataclass(slots=True)
class LocalBreaker:
    """Times are seconds of the process's monotonic clock."""

    rules: Rules = RULES
    failures: int = 0
    opens: int = 0
    open_until: float | None = None
    probe_until: float = 0.0
    closed_at: float | None = None

    def adopt(self, gate: str, retry_at: float, failures: int) -> None:
        """Goes on from what all processes knew together."""
        self.failures = failures
        if gate == Gate.CLOSED:
            self.open_until, self.probe_until = None, 0.0
        elif self.open_until is None or gate == Gate.OPEN:
            self.open_until = retry_at

    def admit(self, now: float) -> tuple[Gate, float]:
        """The gate, and for an open one the seconds until the next probe."""
        if self.open_until is None:
            return Gate.CLOSED, 0.0
        if now < (until := max(self.open_until, self.probe_until)):
            return Gate.OPEN, until - now
        self.probe_until = now + self.rules.lease_seconds
        return Gate.PROBE, 0.0

    def succeeded(self, gate: Gate, now: float) -> None:
        if self.open_until is None:
            self.failures = 0
        elif gate is Gate.PROBE:
            self.failures, self.open_until, self.probe_until, self.closed_at = 0, None, 0.0, now

    def failed(self, gate: Gate, now: float) -> None:
        if self.open_until is None:
            self.failures += 1
            if self.failures >= self.rules.failures:
                self._trip(now)
        elif gate is Gate.PROBE:
            self._trip(now)

    def abandoned(self, gate: Gate) -> None:
        if gate is Gate.PROBE:
            self.probe_until = 0.0

    def _trip(self, now: float) -> None:
        if self.closed_at is not None and now - self.closed_at > self.rules.calm_seconds:
            self.opens = 0
        seconds = min(self.rules.open_seconds * 2 ** min(self.opens, 20), self.rules.max_open_seconds)
        self.opens += 1
        self.open_until, self.probe_until, self.closed_at = now + seconds, 0.0, None
