"""What is drawn from results, and that the drawings are well-formed."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.benchmarks.drawing import LEFT, RIGHT, WIDTH, Bar, Percentiles, bars, latencies, target_bars
from tests.benchmarks.plots import against_targets, draw, throughput, waiting
from tests.benchmarks.reading import newest, read, runs
from tests.benchmarks.results import Measured, Spread, Verdict

SVG = "{http://www.w3.org/2000/svg}"


def spread(value: float) -> Spread:
    return Spread(value, value, value)


def lengths(drawn: str) -> list[float]:
    return [float(bar.attrib["width"]) for bar in ET.fromstring(drawn).iter(f"{SVG}rect")]


def write_run(path: Path, scenario: str, value: float, *, quick: bool = False) -> None:
    verdict = {"scenario": scenario, "claim": "ours / theirs", "unit": "×", "at_least": 10.0, "at_most": None}
    lines = [
        {"machine": {}, "quick": quick},
        {"scenario": scenario, "subject": "bucatini, 1 process", "round": 0, "value": 5_000.0, "unit": "jobs/s"},
        {"verdict": {**verdict, "measured": {"median": value, "low": value, "high": value}, "met": value >= 10}},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")


def test_a_bar_reaches_the_line_exactly_where_the_target_is_met() -> None:
    drawn = target_bars("t", [Bar("a", 1.0, "1 ×", met=True), Bar("b", 0.5, "0.5 ×", met=False)])
    line = next(ET.fromstring(drawn).iter(f"{SVG}line"))
    reaching, short = lengths(drawn)
    assert LEFT + reaching == pytest.approx(float(line.attrib["x1"]), abs=0.2)
    assert short == pytest.approx(reaching / 2, abs=0.2)


def test_a_bar_far_beyond_its_target_stays_on_the_page() -> None:
    assert max(lengths(target_bars("t", [Bar("a", float("inf"), "0 /s", met=True)]))) <= WIDTH - LEFT - RIGHT


def test_what_should_be_small_is_drawn_long_when_it_is_small() -> None:
    quick_enough = Verdict("events", "p95", spread(25.0), unit="ms", at_most=50.0)
    too_slow = Verdict("events", "p99", spread(10.0), unit="ms", at_most=5.0)
    reported = Verdict("events", "p50", spread(1.0), unit="ms")
    drawn = against_targets([quick_enough, too_slow, reported])
    assert [(bar.value, bar.met) for bar in drawn] == [(2.0, True), (0.5, False)]


def test_the_fastest_system_comes_first_by_the_middle_of_its_rounds() -> None:
    rates = [("slow", 0, 10.0), ("fast", 0, 90.0), ("fast", 1, 100.0), ("fast", 2, 500.0)]
    drawn = throughput([Measured("drain", subject, number, value, "jobs/s") for subject, number, value in rates])
    assert [(bar.label, bar.value) for bar in drawn] == [("fast", 100.0), ("slow", 10.0)]


def test_percentiles_of_one_subject_become_one_row() -> None:
    measured = [Measured("pickup", f"ours, 50/s, p{p}", 0, p / 10, "ms") for p in (99, 50, 95)]
    assert waiting(measured) == [Percentiles("pickup: ours, 50/s", (("p50", 5.0), ("p95", 9.5), ("p99", 9.9)))]


def test_ten_times_as_long_is_as_far_again_on_the_scale_of_latencies() -> None:
    drawn = latencies("t", [Percentiles("a", (("p50", 1.0), ("p95", 10.0), ("p99", 100.0)))])
    dots = [float(dot.attrib["cx"]) for dot in ET.fromstring(drawn).iter(f"{SVG}circle")]
    assert dots[1] - dots[0] == pytest.approx(dots[2] - dots[1], abs=0.2)


def test_labels_can_hold_what_xml_reserves() -> None:
    drawn = bars("a < b & c", [Bar('"x" < y', 1.0, "1 & 2")])
    assert {"a < b & c", '"x" < y', "1 & 2"} <= {text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")}


def test_the_colours_change_with_the_reader_s_background() -> None:
    assert re.search(r"@media \(prefers-color-scheme: dark\)", bars("t", []))


def test_each_scenario_is_drawn_from_the_newest_full_run_that_measured_it(tmp_path: Path) -> None:
    write_run(tmp_path / "2026-01-01.jsonl", "drain", 8.0)
    write_run(tmp_path / "2026-01-02.jsonl", "drain", 12.0)
    write_run(tmp_path / "2026-01-03-quick.jsonl", "drain", 1.0, quick=True)
    write_run(tmp_path / "2026-01-04.jsonl", "steady", 11.0)
    found = newest(runs(tmp_path), "drain")
    assert found is not None
    assert found.path.name == "2026-01-02.jsonl"
    for drawn in draw(runs(tmp_path), tmp_path / "drawn"):
        ET.parse(drawn)
    targets = (tmp_path / "drawn" / "targets.svg").read_text()
    assert "12 ×" in targets
    assert "11 ×" in targets


def test_nothing_is_drawn_where_nothing_was_judged(tmp_path: Path) -> None:
    assert draw(runs(tmp_path), tmp_path / "drawn") == []
    assert not (tmp_path / "drawn").exists()


def test_a_verdict_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_run(tmp_path / "run.jsonl", "drain", 9.0)
    [verdict] = read(tmp_path / "run.jsonl").verdicts
    assert verdict == Verdict("drain", "ours / theirs", spread(9.0), at_least=10.0)
    assert verdict.met is False
