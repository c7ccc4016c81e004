"""README's recipe for a job of one's own, word by word, in an empty folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

README = Path(__file__).parents[3] / "README.md"
START_SECONDS = 150.0


@dataclass(frozen=True)
class Recipe:
    """The section's blocks, in order."""

    jobs_file: str
    up: str
    submit: str
    script: str
    test_file: str


def _recipe() -> Recipe:
    _, section = README.read_text().split("## Your own jobs\n", 1)
    section, _ = section.split("\n## ", 1)
    jobs_file, script, test_file = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    up, submit = re.findall(r"^```console\n\$ (.*?)\n```", section, re.MULTILINE)
    return Recipe(jobs_file, up, submit, script, test_file)


@dataclass(frozen=True)
class Terminal:
    """A shell in the empty folder. No environment of ours but ports that nobody else has."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "API_PORT": "0", "FLOWER_PORT": "0", "HOME": str(self.folder)}

    def python(self, script: str) -> subprocess.CompletedProcess[str]:
        """The script, run for the admin of the stack here."""
        home = self.folder / ".bucatini"
        url = json.loads((home / "local.json").read_text())["settings"]["bucatini_url"]
        (self.folder / "script.py").write_text(script)
        key = (home / "admin.key").read_text().strip()
        return self.run(f"{sys.executable} script.py", BUCATINI_URL=url, BUCATINI_API_KEY=key)

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(command),
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def serving(self, command: str) -> Iterator[Path]:
        """What the command prints, once it serves."""
        said = self.folder / "up.txt"
        with (
            said.open("wb") as printed,
            subprocess.Popen(
                shlex.split(command), env=self.environment, cwd=self.folder, stdout=printed, stderr=printed
            ) as up,
        ):
            try:
                wait_until(
                    lambda: up.poll() is not None or "serving until Ctrl-C" in said.read_text(),
                    "the stack serves",
                    within_seconds=START_SECONDS,
                )
                assert up.poll() is None, said.read_text()
                yield said
            finally:
                up.terminate()
                up.wait(timeout=90)


def test_the_recipe_makes_a_job_and_a_changed_file_another(tmp_path: Path) -> None:
    recipe, terminal = _recipe(), Terminal(tmp_path)
    file = tmp_path / "my_package" / "jobs.py"
    file.parent.mkdir()
    file.write_text(recipe.jobs_file)

    with terminal.serving(recipe.up) as said:
        made = terminal.run(recipe.submit)
        assert json.loads(made.stdout)["result"] == {"rows": 7}, made.stderr
        by_script = terminal.python(recipe.script)
        assert by_script.stdout == "7\n", by_script.stderr
        assert "worker reports" in said.read_text()

        file.write_text(f"{recipe.jobs_file}\ndef (\n")
        wait_until(lambda: "SyntaxError" in said.read_text(), "the mistake is said", within_seconds=120)
        assert terminal.run("bucatini jobs list --output json").returncode == 0

        file.write_text(recipe.jobs_file.replace("len(command.month)", "100"))
        wait_until(
            lambda: said.read_text().count("worker reports") >= 2, "the worker is ready again", within_seconds=120
        )
        assert "ended" not in said.read_text()  # While the file was broken, what ran before went on.
        made = terminal.run(recipe.submit)
        assert json.loads(made.stdout)["result"] == {"rows": 100}, made.stderr


def test_the_recipes_test_passes_without_any_server(tmp_path: Path) -> None:
    recipe, terminal = _recipe(), Terminal(tmp_path)
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "jobs.py").write_text(recipe.jobs_file)
    (tmp_path / "test_report.py").write_text(recipe.test_file)

    tried = terminal.run(f"{sys.executable} -m pytest -q -p no:cacheprovider test_report.py")

    assert "1 passed" in tried.stdout, tried.stdout + tried.stderr
