"""What a worker or a dispatcher says of itself."""

import re

import httpx

from infrastructure.local_stack.supervisor.processes import Running
from schemas.health import Ready

LISTENING = re.compile(r"url=(http://[^/]+)/metrics")


def status(process: Running) -> str:
    return _ready(process).status.value


def reasons(process: Running) -> str:
    return _ready(process).reasons


def metrics(process: Running) -> str:
    return _got(process, "/metrics").decode()


def _ready(process: Running) -> Ready:
    return Ready.model_validate_json(_got(process, "/readyz"))


def _got(process: Running, path: str) -> bytes:
    found = LISTENING.search(process.program.log.read_text())
    assert found is not None
    return httpx.get(f"{found[1]}{path}", trust_env=False).content
