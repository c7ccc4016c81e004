"""What was measured, kept as JSON lines, and what follows from it: medians, spreads, ratios, met or not."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several rounds, and how far apart they lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        several = list(values)
        return cls(statistics.median(several), min(several), max(several))

    def times(self, factor: float) -> "Spread":
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}–{_short(self.high)})"


@dataclass(frozen=True, slots=True)
class Measured:
    """One system in one round of one scenario."""

    scenario: str
    subject: str
    round: int
    value: float
    unit: str
    cores: dict[str, float] = field(default_factory=dict)
    """How many cores each process and server used meanwhile."""
    detail: dict[str, float | str] = field(default_factory=dict)

    def __str__(self) -> str:
        cores = ", ".join(f"{name} {used:.2f}" for name, used in self.cores.items() if used >= 0.005)
        detail = ", ".join(f"{name} {_short(value)}" for name, value in self.detail.items())
        parts = [f"{self.scenario:16} {self.subject:34} {_short(self.value):>9} {self.unit}", detail]
        return "  ".join([*filter(None, parts), f"[cores: {cores}]" if cores else ""]).rstrip()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was measured. `at_least` None: reported only, there is no target."""

    scenario: str
    claim: str
    measured: Spread
    unit: str = "×"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.measured.median >= self.at_least
        if self.at_most is not None:
            return self.measured.median <= self.at_most
        return None

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else "reported"


class Book:
    """Writes down a run's measurements as they come, so that a run that is broken off has lost nothing."""

    def __init__(self, *, quick: bool) -> None:
        RESULTS.mkdir(exist_ok=True)
        self.path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}{'-quick' if quick else ''}.jsonl"
        self.measured: list[Measured] = []
        self.verdicts: list[Verdict] = []
        self._write({"machine": machine(), "quick": quick})

    def note(self, measured: Measured) -> Measured:
        print(measured, flush=True)
        self.measured.append(measured)
        self._write(asdict(measured))
        return measured

    def judge(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self._write({"verdict": asdict(verdict) | {"met": verdict.met}})

    def skip(self, scenario: str, reason: str) -> None:
        print(f"{scenario:16} not measured: {reason}", flush=True)
        self._write({"scenario": scenario, "skipped": reason})

    def values(self, scenario: str, subject: str, *, of: str | None = None) -> list[float]:
        """One for each round, in their order: what was measured, or the detail of that name."""
        found = [one for one in self.measured if (one.scenario, one.subject) == (scenario, subject)]
        ordered = sorted(found, key=lambda one: one.round)
        return [one.value if of is None else float(one.detail[of]) for one in ordered]

    def ratio(self, scenario: str, ours: str, theirs: str, *, of: str | None = None) -> Spread:
        """Of each round's pair: what the machine did meanwhile, it did to both."""
        pairs = zip(self.values(scenario, ours, of=of), self.values(scenario, theirs, of=of), strict=True)
        return Spread.of(mine / other for mine, other in pairs)

    def _write(self, line: dict[str, object]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def machine() -> dict[str, object]:
    """What of this machine matters for the numbers; nothing that tells which one it is."""
    packages = ("celery", "kombu", "redis", "psycopg", "pydantic", "uvloop")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in packages},
    }


def table(verdicts: Sequence[Verdict]) -> str:
    """As Markdown: target, measured, met or not."""
    rows = [
        f"| {one.scenario} | {one.claim} | {one.target} | {one.measured} {one.unit} | {_word(one.met)} |"
        for one in verdicts
    ]
    return "\n".join(["| scenario | what | target | measured (min–max) | met |", "|---|---|---|---|---|", *rows])


def _word(met: bool | None) -> str:
    return {True: "yes", False: "**no**", None: ""}[met]


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
