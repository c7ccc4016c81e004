"""Reads what earlier runs wrote down: for each scenario the newest run that measured it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.results import RESULTS, Measured, Spread, Verdict


@dataclass(frozen=True, slots=True)
class Told:
    """One run's file."""

    path: Path
    quick: bool
    measured: list[Measured] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def read(path: Path) -> Told:
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    told = Told(path, quick=any(line.get("quick") for line in lines))
    for line in lines:
        if "subject" in line:
            told.measured.append(Measured(**line))
        if "verdict" in line:
            told.verdicts.append(_verdict(**line["verdict"]))
    return told


def _verdict(*, met: bool | None, measured: dict[str, float], **rest: Any) -> Verdict:
    # Whether it was met follows from the rest.
    return Verdict(measured=Spread(**measured), **rest)


def runs(folder: Path = RESULTS) -> list[Told]:
    """All there are, the newest first."""
    return [read(path) for path in sorted(folder.glob("*.jsonl"), reverse=True)]


def newest(told: Iterable[Told], scenario: str) -> Told | None:
    """The newest run that judged the scenario; a quick one only where no other did."""
    having = [one for one in told if any(verdict.scenario == scenario for verdict in one.verdicts)]
    return min(having, key=lambda one: one.quick, default=None)
