"""How packages of jobs are found, and what is said about one that can't be loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.forked import ROOT

REPORTS = '''
from bucatini import Command, DomainEvent, Run, job

class MakeReport(Command):
    """Makes a month's report."""
    month: str

class ReportMade(DomainEvent):
    """The report is there."""
    rows: int

@job("reports.make", queue="reports")
async def make_report(command: MakeReport, run: Run) -> ReportMade:
    return ReportMade(rows=3)
'''

LOADED = "tests.unit.kinds.loaded"


def _load(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """In a fresh process, where nothing of the product was imported before."""
    return subprocess.run(
        [sys.executable, "-m", LOADED, str(folder), *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )


def _write(folder: Path, text: str, name: str = "shop/jobs.py") -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def test_a_package_in_a_folder_brings_routes_documents_and_a_queue(tmp_path: Path) -> None:
    _write(tmp_path, REPORTS)

    found = json.loads(_load(tmp_path, "shop", "shop.jobs").stdout)

    assert found["kinds"]["reports.make"] == "/api/reports/make"
    assert found["kinds"]["ai.process_document"] == "/api/ai/process-document"
    assert "reports" in found["queues"]
    assert "/api/reports/make" in found["openapi"]
    assert "reports.report_made" in found["asyncapi"]
    assert found["result"] == "ReportMade"
    assert found["sources"] == [str(tmp_path / "shop")]


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        (REPORTS, ["shop.nothing"], "there is no module 'shop.nothing' for BUCATINI_JOBS=shop.nothing"),
        ("ROWS = 3", ["shop.jobs"], "shop.jobs declares no job"),
        ("\nimport nowhere_at_all", ["shop.jobs"], "shop.jobs can't be imported: No module named 'nowhere_at_all'"),
        ("\n\n1 / 0", ["shop.jobs"], "jobs.py, line 3)"),
        ("\n\ndef (", ["shop.jobs"], "shop.jobs can't be imported: SyntaxError: invalid syntax (jobs.py, line 3)\n"),
        ("\nimport sys\nsys.exit(3)", ["shop.jobs"], "shop.jobs can't be imported: SystemExit: 3"),
        (REPORTS.replace("reports.make", "ai.process_document"), ["shop.jobs"], "has the kind 'ai.process_document' already"),
        (REPORTS.replace('queue="reports"', 'queue="reports", route="/api/ai/generate"'), ["shop.jobs"], "has the address"),
        (REPORTS.replace('queue="reports"', 'queue="reports", route="/api/webhooks"'), ["shop.jobs"], "of the ingress's own"),
        (REPORTS.replace('queue="reports"', 'queue="reports", scope="all"'), ["shop.jobs"], "there is no scope 'all'"),
        (REPORTS + "again = job()(make_report.function)", ["shop.jobs"], "are both for reports.make"),
        (REPORTS.replace("-> ReportMade", ""), ["shop.jobs"], "its result must be annotated"),
    ],
)  # fmt: skip
def test_a_package_that_cant_be_loaded_is_named_with_the_reason(
    tmp_path: Path, text: str, names: list[str], reason: str
) -> None:
    _write(tmp_path, text)

    loaded = forked.run(LOADED, str(tmp_path), *names, environment=os.environ, folder=ROOT)

    assert loaded.returncode == 1
    assert reason in loaded.stderr
    assert "Traceback" not in loaded.stderr


def test_what_a_module_prints_is_no_part_of_an_answer(tmp_path: Path) -> None:
    _write(tmp_path, f"print('loading')\n{REPORTS}")

    loaded = _load(tmp_path, "shop.jobs")

    assert json.loads(loaded.stdout)["result"] == "ReportMade"
    assert "loading" in loaded.stderr


def test_a_folder_named_like_one_of_ours_hides_none_of_ours(tmp_path: Path) -> None:
    _write(tmp_path, REPORTS)
    _write(tmp_path, "", "events/__init__.py")

    assert '"reports.make"' in _load(tmp_path, "shop.jobs").stdout
