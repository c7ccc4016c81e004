"""What is measured: the product and its peers, each a program with the same verbs on the same servers."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PEERS = Path(__file__).parent / "peers"
PEERS_ENVIRONMENT = ROOT / ".cache" / "bench-peers"
PEERS_PYTHON = PEERS_ENVIRONMENT / "bin" / "python"
INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class System:
    """A job system and how to drive it."""

    name: str
    durable: bool
    program: tuple[str, ...]
    """Interpreter and script; a verb follows."""
    one_by_one: bool = False
    """Whether each worker process is started by itself; otherwise one program starts them all."""
    open_jobs: str | None = None
    """Whether PostgreSQL still holds a job that hasn't ended. None where nothing is kept to say so."""
    beside: tuple[str, ...] = ()
    """What runs once beside the workers."""


def _peer(script: str) -> tuple[str, ...]:
    return (str(PEERS_PYTHON), str(PEERS / script))


PRODUCT = System(
    "bucatini",
    durable=True,
    program=(sys.executable, "-m", "tests.benchmarks.product"),
    one_by_one=True,
    # Each part is answered by a partial index, however many jobs have ended.
    open_jobs="SELECT EXISTS (SELECT FROM jobs WHERE lease_worker IS NOT NULL)"
    " OR EXISTS (SELECT FROM jobs WHERE wake_at IS NOT NULL AND state = 'queued')"
    " OR EXISTS (SELECT FROM jobs WHERE wake_at IS NOT NULL AND state IN ('scheduled', 'retrying', 'waiting'))",
    beside=(sys.executable, "-m", "producers.dispatcher"),
)
CELERY = System("Celery, stock", durable=False, program=_peer("celery_peer.py"))
PGQUEUER = System(
    "PgQueuer",
    durable=True,
    program=_peer("pgqueuer_peer.py"),
    one_by_one=True,
    open_jobs="SELECT EXISTS (SELECT FROM pgqueuer)",
)
PROCRASTINATE = System(
    "Procrastinate",
    durable=True,
    program=_peer("procrastinate_peer.py"),
    one_by_one=True,
    open_jobs="SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))",
)
DBOS = System(
    "DBOS",
    durable=True,
    program=_peer("dbos_peer.py"),
    one_by_one=True,
    open_jobs="SELECT EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING'))",
)
DRAMATIQ = System("Dramatiq", durable=False, program=_peer("dramatiq_peer.py"))
TASKIQ = System("Taskiq", durable=False, program=_peer("taskiq_peer.py"))


class PeersMissing(Exception):
    """The peers' environment can't be made. The message holds the installer's last words; without peers nothing compares."""


def install_peers() -> None:
    """Makes the peers' environment, or makes it anew when its requirements have changed. PeersMissing says why it can't."""
    wanted = (PEERS / "requirements.txt").read_text()
    mark = PEERS_ENVIRONMENT / "requirements.txt"
    if mark.exists() and mark.read_text() == wanted:
        return
    shutil.rmtree(PEERS_ENVIRONMENT, ignore_errors=True)
    print("installing the peers into .cache/bench-peers ...", flush=True)
    _call(sys.executable, "-m", "venv", *([] if _uv() is None else ["--without-pip"]), str(PEERS_ENVIRONMENT))
    _call(*_installer(), "-r", str(PEERS / "requirements.txt"))
    mark.write_text(wanted)


def _installer() -> tuple[str, ...]:
    uv = _uv()
    if uv is None:
        return (str(PEERS_PYTHON), "-m", "pip", "install", "--quiet")
    return (*uv, "pip", "install", "--quiet", "--python", str(PEERS_PYTHON))


def _uv() -> tuple[str, ...] | None:
    if find_spec("uv"):
        return (sys.executable, "-m", "uv")
    found = shutil.which("uv")
    return None if found is None else (found,)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise PeersMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
