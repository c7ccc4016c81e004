"""`bucatini-client` as another service has it: its wheel in an empty environment, and README's examples run there against a live
stack."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from producers.packaging import wheel as packaging
from tests.integration.serving import World
from tests.system import ROOT, System
from tests.waiting import wait_until

UV = Path(sys.executable).with_name("uv")
PYTHONS = (f"{sys.version_info.major}.{sys.version_info.minor}", ".".join(map(str, packaging.OLDEST_PYTHON)))
EXAMPLES = [text for text in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
            if "bucatini_client import" in text]  # fmt: skip
BROUGHT = {
    "annotated-types", "anyio", "bucatini-client", "certifi", "exceptiongroup", "h11", "httpcore", "httpx", "httpx-sse", "idna",
    "pydantic", "pydantic-core", "sniffio", "typing-extensions", "typing-inspection", "websockets",
}  # fmt: skip
"""httpx, httpx-sse, pydantic and websockets, and what they bring."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaging.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module", params=PYTHONS)
def python(wheel: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but the wheel and what it brings."""
    interpreter = _interpreter(request.param)
    if interpreter is None:
        pytest.skip(f"there is no Python {request.param} here")
    environment = tmp_path_factory.mktemp("service") / "venv"
    made = _uv("venv", "--python", interpreter, str(environment))
    assert made.returncode == 0, made.stderr
    installed = _uv("pip", "install", "--python", str(environment), str(wheel))
    assert installed.returncode == 0, installed.stderr
    return environment / "bin" / "python"


def test_its_only_name_is_bucatini_client_and_it_is_typed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"bucatini_client"}
    assert "bucatini_client/py.typed" in names


def test_it_brings_little(python: Path) -> None:
    listed = _uv("pip", "list", "--python", str(python), "--format", "freeze").stdout

    assert {line.partition("==")[0].partition(" @")[0] for line in listed.splitlines()} - BROUGHT == set()


def test_all_of_it_can_be_imported_without_anything_else(python: Path) -> None:
    walk = (
        "import importlib, pkgutil, bucatini_client as client\n"
        "for one in pkgutil.walk_packages(client.__path__, 'bucatini_client.'): importlib.import_module(one.name)"
    )

    imported = subprocess.run((python, "-I", "-c", walk), capture_output=True, text=True, check=False)
    assert (imported.returncode, imported.stderr) == (0, "")


def test_the_readmes_examples_run_in_it_against_a_live_stack(python: Path, served: World, system: System) -> None:
    system.start("producers.dispatcher")
    system.start("workers.runtime", "ai")
    system.start("workers.runtime", "search")
    environment = {**os.environ, "BUCATINI_URL": served.url, "BUCATINI_API_KEY": served.tenant().key}
    endless = [example for example in EXAMPLES if "groups.subscribe(" in example]
    ending = [example for example in EXAMPLES if example not in endless]
    assert (len(endless), len(ending)) == (1, 4)

    heard = system.folder / "group.txt"
    member = _begin(python, endless[0], environment, heard)
    try:
        wait_until(lambda: _has_group(served), "the group is there")
        said = "".join(_run(python, example, environment) for example in ending)
        wait_until(lambda: "ai.document_processed" in heard.read_text(), "the group's member hears of a document")
    finally:
        member.kill()
        member.wait()

    assert "job.succeeded" in said
    assert "Party(" in said
    assert "<JobState.SUCCEEDED: 'succeeded'>: " in said


def test_a_source_that_needs_what_the_wheel_lacks_is_refused() -> None:
    with pytest.raises(packaging.Unshippable, match="no celery"):
        packaging.check("bucatini_client/a.py", "import celery")
    with pytest.raises(packaging.Unshippable, match=r"Python 3\.10 can't read it"):
        packaging.check("bucatini_client/a.py", "try:\n    pass\nexcept* ValueError:\n    pass\n")


def test_our_packages_are_named_as_the_wheel_has_them() -> None:
    ours = "from datetime import UTC, datetime\nfrom schemas.jobs import Job\nimport events\n\n\ndef f():\n    import schemas.jobs as j\n"

    assert packaging.rewritten(ours) == (
        "from datetime import datetime\nfrom bucatini_client.older_python import UTC\nfrom bucatini_client.schemas.jobs import Job\n"
        "from bucatini_client import events\n\n\ndef f():\n    from bucatini_client.schemas import jobs as j\n"
    )


def _has_group(served: World) -> bool:
    return served.database.execute("SELECT 1 FROM consumer_groups WHERE name = 'billing'").fetchone() is not None


def _interpreter(version: str) -> str | None:
    """One that runs: on the path, or among pyenv's, whose shims only run what was chosen."""
    if version == PYTHONS[0]:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = (f"python{version}", *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python"))))
    return next((one for one in candidates if _runs(one)), None)


def _runs(interpreter: str) -> bool:
    try:
        return subprocess.run((interpreter, "-V"), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (str(UV), *arguments)
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _run(python: Path, example: str, environment: dict[str, str]) -> str:
    # From the checkout, for its samples; what `-` runs has no folder of ours on its path.
    ran = subprocess.run(
        (python, "-I", "-"), input=example, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, ""), example
    return ran.stdout


def _begin(python: Path, example: str, environment: dict[str, str], heard: Path) -> subprocess.Popen[str]:
    with heard.open("w") as printed:
        command = (python, "-I", "-u", "-c", example)
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=printed, stderr=printed, text=True)
