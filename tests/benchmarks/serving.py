"""The product's ingress as one process of a run, with a key to call it by."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.local_stack.supervisor.processes import Running
from infrastructure.postgres.tenants.api_keys import create_first_admin_key
from tests.benchmarks.stage import READY_SECONDS, Show

_ADDRESS = re.compile(r"ready: (http://[\d.]+:\d+)")


@dataclass(frozen=True, slots=True)
class Serving:
    """Somebody who answers HTTP."""

    url: str
    running: Running
    key: str = field(default="", repr=False)


def serve_product(show: Show, **environment: str) -> Serving:
    key = create_first_admin_key(show.database_url)
    assert key is not None, "a fresh database has no key"
    return serve(show, "api", "-m", "api", key=key, **environment)


def serve(show: Show, name: str, *program: str, key: str = "", **environment: str) -> Serving:
    """Starts a Python program that serves on a free port and tells its address once it does."""
    running = show.start_program(name, sys.executable, *program, API_PORT="0", **environment)
    running.await_ready(lambda: running.said("ready: http"), within_seconds=READY_SECONDS)
    found = _ADDRESS.search(Path(running.program.log).read_text())
    assert found is not None, running.told(f"{name} doesn't tell its address")
    return Serving(found[1], running, key)
