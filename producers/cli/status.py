"""`bucatini status` and `bucatini down`: what runs in the home folder, and its end."""

import json
import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import RESTARTING, RUNNING, STARTING, Home, Record, Recorded, runner
from infrastructure.local_stack.supervisor.processes import living
from infrastructure.settings import SettingsInvalid
from producers.cli.output import print_json, print_line, print_note
from schemas.health import Readiness, Ready

STOP_SECONDS = 120.0
ANSWER_SECONDS = 5.0
MAX_ASKED_AT_ONCE = 16
METRICS = "metrics "
ENDED, UNANSWERING = "ended", "silent"
COLOURS = {RUNNING: "green", STARTING: "yellow", RESTARTING: "yellow", "degraded": "yellow"}
POLL_SECONDS = 0.1


def show_status(*, as_json: bool) -> int:
    """0 when a stack runs here with all its processes, else 3."""
    home = _home()
    if home is None:
        return 2
    record = home.recorded()
    status = _status(home, record)
    if as_json:
        print_json(json.dumps(status, indent=2))
    else:
        _print_table(status)
    return 0 if status["running"] else 3


def take_down() -> int:
    """0 when nothing runs here any more."""
    home = _home()
    if home is None:
        return 2
    record = home.recorded()
    holder = runner(record) if record else None
    if holder is None or living(holder) is None:
        print_line(f"no local stack runs in {home.folder}")
        return 0
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while living(holder) is not None:
        if time.monotonic() > deadline:
            print_note(f"process {holder.pid} has not ended within {STOP_SECONDS:.0f} s")
            return 1
        time.sleep(POLL_SECONDS)
    print_line("stopped")
    return 0


def _home() -> Home | None:
    try:
        return Home(Path(settings_module.load().bucatini_home).resolve())
    except SettingsInvalid as error:
        print_note(error)
        return None


def _status(home: Home, record: Record | None) -> dict[str, Any]:
    recorded = record.processes if record else ()
    with ThreadPoolExecutor(MAX_ASKED_AT_ONCE) as pool:
        urls = readiness_urls(record.urls) if record else {}
        processes = list(pool.map(lambda process: _process(process, urls.get(process.name)), recorded))
    return {
        "running": bool(processes) and all(process["running"] for process in processes),
        "home": str(home.folder),
        "urls": dict(record.urls) if record else {},
        "ports": {process["name"]: process["port"] for process in processes if process["port"]},
        "processes": processes,
        "admin_key_file": str(home.key_file) if home.key_file.exists() else None,
    }


def readiness_urls(urls: Mapping[str, str]) -> dict[str, str]:
    """The readiness URL of each process, by its name."""
    metrics = {name.removeprefix(METRICS): url for name, url in urls.items() if name.startswith(METRICS)}
    served = {name: url.removesuffix("/metrics") for name, url in metrics.items()}
    # The ingress answers it where it answers everybody, not where operators read its metrics.
    return {name: f"{urls.get(name, url)}/readyz" for name, url in served.items()}


def _process(process: Recorded, readiness_url: str | None) -> dict[str, Any]:
    running = process.identity is not None and living(process.identity) is not None
    state, detail = process.state, process.detail
    if not running and state != RESTARTING:
        state = ENDED
    elif running and state == RUNNING and readiness_url is not None:
        state, detail = _readiness(readiness_url)
    return {
        "name": process.name,
        "pid": process.identity.pid if process.identity else None,
        "port": process.port,
        "running": running,
        "state": state,
        "detail": detail,
        "log": process.log,
    }


def _readiness(url: str) -> tuple[str, str]:
    """Its state and, if it isn't running, the reasons, as its own readiness reports them."""
    import httpx

    try:
        ready = Ready.model_validate_json(httpx.get(url, timeout=ANSWER_SECONDS, trust_env=False).content)
    except (httpx.HTTPError, ValidationError) as error:
        return UNANSWERING, f"{url} gives no answer ({type(error).__name__})"
    return (RUNNING, "") if ready.status is Readiness.READY else (ready.status.value, ready.reasons)


def _print_table(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not status["processes"]:
        console.print(f"no local stack runs in {status['home']}: start one with `bucatini up`", highlight=False)
        return
    table = Table("part", "process", "port", "state", "log", box=None, header_style="bold")
    for process in status["processes"]:
        state = f"[{COLOURS.get(process['state'], 'red')}]{process['state']}"
        pid, port = str(process["pid"] or ""), str(process["port"] or "")
        table.add_row(process["name"], pid, port, state, process["log"] or "")
    console.print(table)
    for process in status["processes"]:
        if process["detail"]:
            console.print(f"{process['name']} is {process['state']}: {escape(process['detail'])}", soft_wrap=True)
    for name, url in status["urls"].items():
        console.print(f"{name:22} {url}", highlight=False, soft_wrap=True)
    console.print(f"{'first admin key':22} {status['admin_key_file'] or 'not in this folder'}", highlight=False)
