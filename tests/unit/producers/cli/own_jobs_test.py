"""What commands that need no server know of the packages that BUCATINI_JOBS names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
BUCATINI = "import sys; sys.argv[0] = 'bucatini'; from producers.cli.app import main; main()"
JOBS = """
from bucatini import Command, DomainEvent, Run, job
print("loading")

class MakeReport(Command):
    month: str

class ReportMade(DomainEvent):
    rows: int

@job("reports.make", queue="reports")
async def make_report(command: MakeReport, run: Run) -> ReportMade:
    return ReportMade(rows=3)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(JOBS)
    (tmp_path / "broken.py").write_text(f"{JOBS}\n1 / 0")
    return tmp_path


def _type(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BUCATINI, *words],
        env={"PYTHONPATH": str(ROOT), "PATH": "", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _completed(folder: Path, line: str, jobs: str) -> list[str]:
    """What bash completes at the end of the line."""
    words = line.split(" ")
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    completed = _type(folder, **typed, _BUCATINI_COMPLETE="complete_bash", BUCATINI_JOBS=jobs)
    assert completed.stderr == ""
    return completed.stdout.split()


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("bucatini submit repo", "reports.make"),
        ("bucatini jobs list --kind repo", "reports.make"),
        ("bucatini jobs list --queue rep", "reports"),
        ("bucatini worker rep", "reports"),
        ("bucatini pause rep", "reports"),
    ],
)
def test_the_shell_completes_own_kinds_and_queues(folder: Path, line: str, completed: str) -> None:
    assert _completed(folder, line, "shop") == [completed]


def test_a_broken_package_leaves_the_shell_ours_and_prints_nothing(folder: Path) -> None:
    assert _completed(folder, "bucatini worker wor", "broken") == ["workflow"]
    assert _completed(folder, "bucatini submit repo", "nowhere") == []


def test_the_doctor_names_the_packages_of_jobs_and_what_is_wrong_with_one(folder: Path) -> None:
    fine = _type(folder, "doctor", "--output", "json", BUCATINI_JOBS="shop")
    broken = _type(folder, "doctor", "--output", "json", BUCATINI_JOBS="broken")
    none = _type(folder, "doctor", "--output", "json")

    def own_jobs(found: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
        return [(one["verdict"], one["text"]) for one in json.loads(found.stdout) if one["name"] == "own jobs"]

    assert own_jobs(fine) == [("good", "shop: reports.make")]
    [(verdict, text)] = own_jobs(broken)
    assert (verdict, broken.returncode) == ("bad", 1)
    assert text.startswith("broken can't be imported: ZeroDivisionError")
    assert own_jobs(none) == []
