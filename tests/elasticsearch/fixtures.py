"""What tests ask for: the shared server, a name of their own in it, or what servers of their own are started from."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
import pytest

from infrastructure.local_stack.supervisor.processes import identity
from tests.elasticsearch.distribution import Distribution, NotHere, distribution
from tests.elasticsearch.keeper import FOUND, KEPT, Kept
from tests.elasticsearch.node import READY_SECONDS
from tests.source_tree import ROOT
from tests.waiting import wait_until

NAMED_BY_US = "TEST_ELASTICSEARCH_URL"
"""A server that is there already, without security, and that tests may fill: nothing is fetched or started then."""


@dataclass(frozen=True, slots=True)
class Run:
    """This run of pytest, of which each of its processes is a part."""

    folder: Path
    pid: int

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        with (self.folder / "elasticsearch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    given = getattr(request.config, "workerinput", None)
    if given is not None:
        yield Run(Path(given["room"]), given["run_pid"])
        return
    with TemporaryDirectory(prefix="bucatini-tests-") as folder:
        yield Run(Path(folder), os.getpid())


@pytest.fixture(scope="session")
def elasticsearch_distribution(run: Run) -> Distribution:
    """What servers are started from. Tests that need it are skipped where it can't be had."""
    with run.one_at_a_time():
        found = run.folder / FOUND
        if not found.exists():
            found.write_text(json.dumps(_looked_for()))
        told = json.loads(found.read_text())
    if "not_here" in told:
        pytest.skip(told["not_here"])
    return Distribution(Path(told["home"]), Path(told["java_home"]))


def _looked_for() -> dict[str, str]:
    try:
        here = distribution()
    except NotHere as error:
        return {"not_here": str(error)}
    return {"home": str(here.home), "java_home": str(here.java_home)}


@pytest.fixture(scope="session")
def elasticsearch_server(request: pytest.FixtureRequest, run: Run) -> Kept:
    """The server that all of the run's tests share: without security, and nobody's to stop."""
    if named := os.environ.get(NAMED_BY_US):
        return Kept(url=named)
    request.getfixturevalue("elasticsearch_distribution")
    with run.one_at_a_time():
        if not (run.folder / KEPT).exists():
            _start_keeper(run)
        kept = Kept(**json.loads((run.folder / KEPT).read_text()))
    if kept.failure:
        report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report(f"Elasticsearch is here and doesn't start: {kept.failure}")
    return kept


@pytest.fixture(scope="session")
def elasticsearch_url(elasticsearch_server: Kept) -> str:
    return elasticsearch_server.url


@pytest.fixture
def elasticsearch_app(elasticsearch_url: str) -> Iterator[str]:
    """A prefix that only this test's indices and templates have. They are deleted at its end."""
    app = f"t{uuid4().hex[:12]}"
    yield app
    remove_indices(elasticsearch_url, app)
    with httpx.Client(base_url=elasticsearch_url.split(",")[0], trust_env=False, timeout=60) as http:
        for kind in ("_index_template", "_component_template"):
            http.delete(f"/{kind}/{app}-*")


def remove_indices(url: str, app: str) -> None:
    """All that begin with this prefix."""
    with httpx.Client(base_url=url.split(",")[0], trust_env=False, timeout=60) as http:
        indices = list(http.get(f"/{app}-*", params={"expand_wildcards": "all", "filter_path": "*.aliases"}).json())
        if indices:
            http.delete(f"/{','.join(indices)}")


@pytest.fixture
def elasticsearch_folder() -> Iterator[Path]:
    """For servers of a test's own: one that another user, whom they run as under root, can get to."""
    with TemporaryDirectory(prefix="bucatini-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _start_keeper(run: Run) -> None:
    """Returns when it has said what became of the server."""
    known = identity(run.pid)
    command = [sys.executable, "-m", "tests.elasticsearch.keeper", str(run.folder), str(known.pid), str(known.born_at)]
    with (run.folder / "elasticsearch-keeper.log").open("w") as log:
        keeper = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    wait_until(
        lambda: (run.folder / KEPT).exists() or keeper.poll() is not None,
        "the server has started or not",
        within_seconds=READY_SECONDS + 60,
    )
    if not (run.folder / KEPT).exists():
        said = (run.folder / "elasticsearch-keeper.log").read_text()
        (run.folder / KEPT).write_text(json.dumps({"failure": f"its keeper ended with {keeper.returncode}: {said}"}))
