"""One circuit breaker for each model of a provider, shared by all processes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from uuid_utils import uuid4

from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.shared_fetches import SharedFetches
from infrastructure.ports.ai.breakers import Admission, Gate
from infrastructure.ports.ai.errors import ModelError
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.models.local_breaker import RULES, LocalBreaker, Rules
from infrastructure.redis.script import Script

KNOWN_SECONDS: Final = 0.25
"""How long a process decides by what it knows before it looks again."""
AHEAD_SECONDS: Final = 0.15
"""Then it looks anew while it still decides by what it knows: calls that follow each other never wait for a look."""
PATIENCE_SECONDS: Final = 0.25
"""A Redis that takes longer is away: a call of a model isn't kept waiting for its breaker."""
AWAY_SECONDS: Final = 2.0
"""Then a process decides alone, by what it knew last and what it sees itself, until it asks again."""
WATCH_SECONDS: Final = 15.0
KEPT_SECONDS: Final = 86_400
MAX_KNOWN: Final = 10_000
LOOK, HALF_OPEN = "look", "half_open"


@dataclass(frozen=True, slots=True)
class BreakerReading:
    """A breaker as Redis has it."""

    gate: str
    """`closed`, `open`, or `half_open`: the next call is a probe."""
    retry_seconds: float
    """Until the next probe."""
    failures: int
    opens: int
    lease: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    gate: str
    retry_at: float
    failures: int
    read_at: float


def key_of(provider: str, model: str) -> str:
    return f"bucatini:breaker:{provider}/{model}"


class SharedBreakers:
    """See `Breakers`. `report` is given a breaker's model and gate whenever this process learns of it."""

    def __init__(
        self, redis: Redis, *, rules: Rules = RULES, report: Callable[[str, str, str], None] | None = None
    ) -> None:
        self._connection = RedisConnection(redis)
        self._script = Script(__package__, "breakers.lua")
        self._rules = rules
        self._observe = report
        self._known: dict[tuple[str, str], _Known] = {}
        self._looks: SharedFetches[tuple[str, str]] = SharedFetches()
        self._looking: dict[tuple[str, str], asyncio.Lock] = {}
        self._own: dict[tuple[str, str], LocalBreaker] = {}
        self._shut: set[tuple[str, str]] = set()
        self._away_until = 0.0

    async def admit(self, provider: str, model: str) -> Admission:
        known = await self._fresh((provider, model))
        now = time.monotonic()
        if known is None:
            return self._alone(provider, model)
        if known.gate == Gate.CLOSED:
            return Admission(provider, model, Gate.CLOSED)
        if known.gate == Gate.OPEN and now < known.retry_at:
            return Admission(provider, model, Gate.OPEN, known.retry_at - now)
        return await self._ask_for_probe(provider, model)

    async def succeeded(self, admission: Admission) -> None:
        known = self._known.get((admission.provider, admission.model))
        nothing_to_forget = known is not None and known.failures == 0 and self._is_fresh(known)
        if admission.gate is not Gate.PROBE and nothing_to_forget:
            return
        if not await self._send(admission, "succeeded", admission.gate, admission.lease):
            self._of(admission).succeeded(admission.gate, time.monotonic())

    async def failed(self, admission: Admission, error: ModelError) -> None:
        if not error.counts_on_breaker:
            await self.abandoned(admission)
            return
        if not await self._send(admission, "failed", admission.gate, admission.lease, error.error_class):
            self._of(admission).failed(admission.gate, time.monotonic())

    async def abandoned(self, admission: Admission) -> None:
        if admission.gate is Gate.PROBE and not await self._send(admission, "abandoned", admission.lease):
            self._of(admission).abandoned(admission.gate)

    @property
    def loop(self) -> Loop:
        return Loop("model breakers", WATCH_SECONDS, self.watch)

    async def watch(self) -> None:
        """Looks at those that weren't closed: other processes may have closed them, and this one makes no call to notice."""
        for which in tuple(self._shut):
            await self._ask(*which, LOOK)

    async def reading(self, provider: str, model: str) -> BreakerReading:
        """As it is now. Raises one of FAULTS."""
        return await self._run(provider, model, LOOK)

    def _of(self, admission: Admission) -> LocalBreaker:
        return self._own_of(admission.provider, admission.model)

    def _own_of(self, provider: str, model: str) -> LocalBreaker:
        return self._own.setdefault((provider, model), LocalBreaker(self._rules))

    async def _fresh(self, which: tuple[str, str]) -> _Known | None:
        """What was read within KNOWN_SECONDS; None while Redis is away."""
        known = self._known.get(which)
        if known is not None and self._is_fresh(known):
            if time.monotonic() - known.read_at >= AHEAD_SECONDS and known.gate == Gate.CLOSED:
                self._looks.begin(which, lambda: self._ask(*which, LOOK))
            return known
        # One reads for all that want to know at the same moment.
        async with self._looking.setdefault(which, asyncio.Lock()):
            known = self._known.get(which)
            if known is not None and self._is_fresh(known):
                return known
            found = await self._ask(*which, LOOK)
            return None if found is None else self._known[which]

    async def _ask_for_probe(self, provider: str, model: str) -> Admission:
        found = await self._ask(provider, model, "admit", uuid4().hex)
        if found is None:
            return self._alone(provider, model)
        if found.gate == Gate.PROBE:
            return Admission(provider, model, Gate.PROBE, lease=found.lease)
        return Admission(provider, model, Gate(found.gate), found.retry_seconds)

    def _alone(self, provider: str, model: str) -> Admission:
        gate, seconds = self._own_of(provider, model).admit(time.monotonic())
        return Admission(provider, model, gate, seconds)

    async def _send(self, admission: Admission, *what: str) -> bool:
        """False while Redis is away: then this process has to know it alone."""
        return await self._ask(admission.provider, admission.model, *what) is not None

    async def _ask(self, provider: str, model: str, *what: str) -> BreakerReading | None:
        """None while Redis is away. Never waits longer than PATIENCE_SECONDS."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._run(provider, model, *what)
        except FAULTS:
            self._away_until = time.monotonic() + AWAY_SECONDS
            self._known.clear()
            return None
        self._learn((provider, model), found)
        return found

    async def _run(self, provider: str, model: str, *what: str) -> BreakerReading:
        rules = self._rules
        milliseconds = (rules.open_seconds, rules.max_open_seconds, rules.lease_seconds, rules.calm_seconds)
        open_ms, max_open_ms, lease_ms, calm_ms = (int(1_000 * seconds) for seconds in milliseconds)
        limits = (rules.failures, open_ms, max_open_ms, lease_ms, calm_ms, KEPT_SECONDS)
        return _reading(await self._script.run(self._connection, [key_of(provider, model)], *limits, *what))

    def _learn(self, which: tuple[str, str], found: BreakerReading) -> None:
        now = time.monotonic()
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        # Whoever was given the probe leaves none for others.
        gate = Gate.OPEN.value if found.gate == Gate.PROBE else found.gate
        self._known[which] = _Known(gate, now + found.retry_seconds, found.failures, now)
        self._own_of(*which).adopt(gate, now + found.retry_seconds, found.failures)
        (self._shut.discard if gate == Gate.CLOSED else self._shut.add)(which)
        if self._observe is not None:
            self._observe(*which, HALF_OPEN if found.gate == Gate.PROBE else found.gate)

    @staticmethod
    def _is_fresh(known: _Known) -> bool:
        return time.monotonic() - known.read_at < KNOWN_SECONDS


def _reading(reply: Sequence[Any]) -> BreakerReading:
    gate, wait_ms, failures, lease, opens = reply
    return BreakerReading(gate.decode(), int(wait_ms) / 1_000, int(failures), int(opens), (lease or b"").decode())
