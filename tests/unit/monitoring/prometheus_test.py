"""Prometheus's own tool checks its configuration, runs the alerts' tests and reads the dashboard's queries."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import GUARD_SECONDS

MONITORING = Path(__file__).parents[3] / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "bucatini.json"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        here = "CI installs nothing for it" if os.environ.get("CI") == "true" else "nothing else can stand for it"
        pytest.skip(f"promtool isn't on PATH, and {here}: `apt install prometheus` or `brew install prometheus` has it")
    return found


def test_the_configuration_is_one_that_prometheus_starts_with(promtool: str) -> None:
    _run(promtool, "check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_before(promtool: str) -> None:
    _run(promtool, "check", "rules", "--lint-fatal", "alerts.yml")
    _run(promtool, "test", "rules", "alerts_test.yml")


def test_every_query_of_the_dashboard_is_one_that_prometheus_reads(promtool: str, tmp_path: Path) -> None:
    queries = {_filled(target["expr"]) for panel in _panels() for target in panel.get("targets", ())}
    rules = [{"record": f"dashboard:query_{number}", "expr": query} for number, query in enumerate(sorted(queries))]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    _run(promtool, "check", "rules", str(file))


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    text = (PROMETHEUS / "alerts.yml").read_text()
    alerts = text.count("- alert:")

    assert alerts == text.count("summary:") == text.count("action:") == text.count("severity:")
    assert alerts > 0


def test_every_alert_has_a_test() -> None:
    alerts = {line.split()[-1] for line in (PROMETHEUS / "alerts.yml").read_text().splitlines() if "- alert:" in line}
    tests = (PROMETHEUS / "alerts_test.yml").read_text()

    assert {alert for alert in alerts if f"alertname: {alert}\n        exp_alerts" not in tests} == set()


def test_the_dashboard_has_its_panels_side_by_side_and_each_its_own_id() -> None:
    panels = _panels()
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return panels


def _filled(query: str) -> str:
    return query.replace("$__rate_interval", "5m").replace("$kind", ".*")


def _run(*command: str) -> None:
    ended = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
