"""`python -m tests.benchmarks.plots [--quick]`: draws the newest results of each scenario into docs/performance/."""

import argparse
import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.drawing import Bar, Percentiles, bars, latencies, target_bars
from tests.benchmarks.reading import Told, newest, runs
from tests.benchmarks.results import Measured, Verdict
from tests.benchmarks.systems import ROOT

DRAWN = ROOT / "docs" / "performance"
SCENARIOS = ("drain", "steady", "pickup", "shapes", "ingress", "events", "idle", "extraction")
_PERCENTILE = re.compile(r"(.*), (p\d+)")


def draw(told: Sequence[Told], folder: Path = DRAWN) -> list[Path]:
    """The files that were drawn: of a scenario that no run measured nothing is shown."""
    chosen = [(scenario, run) for scenario in SCENARIOS for run in [newest(told, scenario)] if run is not None]
    verdicts = [one for scenario, run in chosen for one in run.verdicts if one.scenario == scenario]
    measured = [one for scenario, run in chosen for one in run.measured if one.scenario == scenario]
    if not verdicts:
        return []
    charts = {
        "targets.svg": target_bars("Measured against the target, each in one run", against_targets(verdicts)),
        "throughput.svg": bars("Jobs a second, drained, on one machine", throughput(measured)),
        "latency.svg": latencies("Latency in milliseconds: p50, p95, p99", waiting(measured)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in charts.items():
        (folder / name).write_text(chart)
    return [folder / name for name in charts]


def against_targets(verdicts: Sequence[Verdict]) -> list[Bar]:
    """One for each verdict with a target, 1 where it is just met."""
    judged = [one for one in verdicts if one.met is not None]
    return [Bar(f"{one.scenario}: {one.claim}", _share(one), _figure(one), one.met) for one in judged]


def throughput(measured: Sequence[Measured]) -> list[Bar]:
    """Of each system that was drained, the fastest first."""
    rates: dict[str, list[float]] = defaultdict(list)
    for one in measured:
        if one.scenario == "drain":
            rates[one.subject].append(one.value)
    medians = {subject: statistics.median(values) for subject, values in rates.items()}
    ordered = sorted(medians.items(), key=lambda pair: -pair[1])
    return [
        Bar(subject, rate, f"{rate:,.0f}", met=True if "bucatini" in subject else None) for subject, rate in ordered
    ]


def waiting(measured: Sequence[Measured]) -> list[Percentiles]:
    """Of each subject whose percentiles were measured, the middle of its rounds."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in measured:
        parts = _PERCENTILE.fullmatch(one.subject)
        if parts is not None and one.unit == "ms":
            found[f"{one.scenario}: {parts[1]}"][parts[2]].append(one.value)
    return [
        Percentiles(label, tuple((name, statistics.median(values)) for name, values in sorted(points.items())))
        for label, points in found.items()
    ]


def _share(verdict: Verdict) -> float:
    measured = verdict.measured.median
    if verdict.at_least is not None:
        return measured / verdict.at_least
    assert verdict.at_most is not None, "only verdicts with a target are drawn"
    # What costs nothing is as good as anything can be.
    return verdict.at_most / measured if measured else float("inf")


def _figure(verdict: Verdict) -> str:
    return f"{verdict.measured.median:,.3g} {verdict.unit} ({verdict.target})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plots", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="from quick rounds too: to see how it looks")
    parser.add_argument("--into", type=Path, default=DRAWN)
    arguments = parser.parse_args()
    for path in draw([one for one in runs() if arguments.quick or not one.quick], arguments.into):
        print(path)


if __name__ == "__main__":
    main()
