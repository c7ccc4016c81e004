"""`bucatini status` and `bucatini down`: what runs in the home folder, and its end."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from infrastructure import settings as settings_module
from infrastructure.local_stack.home import Home, Record, runner
from infrastructure.local_stack.processes import living
from infrastructure.settings import SettingsInvalid
from producers.cli_terminal import note, say, say_json

STOP_SECONDS = 120.0
POLL_SECONDS = 0.1


def show_status(*, as_json: bool) -> int:
    """0 when a stack runs here with all its processes, else 3."""
    home = _home()
    if home is None:
        return 2
    record = home.recorded()
    status = _status(home, record)
    if as_json:
        say_json(json.dumps(status, indent=2))
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
        say(f"no local stack runs in {home.folder}")
        return 0
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while living(holder) is not None:
        if time.monotonic() > deadline:
            note(f"process {holder.pid} has not ended within {STOP_SECONDS:.0f} s")
            return 1
        time.sleep(POLL_SECONDS)
    say("stopped")
    return 0


def _home() -> Home | None:
    try:
        return Home(Path(settings_module.load().bucatini_home).resolve())
    except SettingsInvalid as error:
        note(error)
        return None


def _status(home: Home, record: Record | None) -> dict[str, Any]:
    processes = [
        {
            "name": process.name,
            "pid": process.identity.pid,
            "port": process.port,
            "running": living(process.identity) is not None,
            "log": process.log,
        }
        for process in (record.processes if record else ())
    ]
    return {
        "running": bool(processes) and all(process["running"] for process in processes),
        "home": str(home.folder),
        "urls": dict(record.urls) if record else {},
        "ports": {process["name"]: process["port"] for process in processes if process["port"]},
        "processes": processes,
        "admin_key_file": str(home.key_file) if home.key_file.exists() else None,
    }


def _print_table(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not status["processes"]:
        console.print(f"no local stack runs in {status['home']}: start one with `bucatini up`", highlight=False)
        return
    table = Table("part", "process", "port", "state", "log", box=None, header_style="bold")
    for process in status["processes"]:
        state = "[green]running" if process["running"] else "[red]ended"
        port = str(process["port"] or "")
        table.add_row(process["name"], str(process["pid"]), port, state, process["log"] or "")
    console.print(table)
    for name, url in status["urls"].items():
        console.print(f"{name:22} {url}", highlight=False, soft_wrap=True)
    console.print(f"{'first admin key':22} {status['admin_key_file'] or 'not in this folder'}", highlight=False)
