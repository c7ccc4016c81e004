"""`bucatini status` and `bucatini down`: what runs in the home folder, and its end."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.text import Text

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import RESTARTING, RUNNING, STARTING, Home, Record, Recorded, runner
from infrastructure.local_stack.supervisor.processes import living
from infrastructure.settings import SettingsInvalid
from producers.cli.ingress import print_again
from producers.cli.lazy_group import command_group
from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    EXIT_USAGE,
    One,
    Output,
    OutputOption,
    WatchOption,
    coloured,
    print_line,
    print_note,
    print_view,
    view_lines,
)
from producers.cli.table import Column
from schemas.health import Readiness, Ready

app = command_group()

EXIT_NOT_RUNNING = 3
STOP_SECONDS = 120.0
ANSWER_SECONDS = 5.0
MAX_ASKED_AT_ONCE = 16
METRICS = "metrics "
ENDED, UNANSWERING = "ended", "silent"
COLOURS = {RUNNING: "green", STARTING: "yellow", RESTARTING: "yellow", "degraded": "yellow"}
POLL_SECONDS = 0.1


@app.command("status")
def show_status(output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Show addresses, processes and the key's file. Exit code 3 unless all of them run."""
    raise typer.Exit(_show(output, watch=watch))


@app.command("down")
def stop_stack() -> None:
    """Stop the local stack, as Ctrl-C would."""
    raise typer.Exit(take_down())


def _show(output: Output, *, watch: bool) -> int:
    """0 when a stack runs here with all its processes, else 3."""
    home = _home()
    if home is None:
        return EXIT_USAGE

    def look() -> One:
        status = _status(home, home.recorded())
        return One(status, _lines(status))

    try:
        last = print_again(look, output) if watch else look()
        if not watch:
            print_view(last, output)
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK if isinstance(last.thing, Mapping) and last.thing["running"] else EXIT_NOT_RUNNING


def take_down() -> int:
    """0 when nothing runs here any more."""
    home = _home()
    if home is None:
        return EXIT_USAGE
    record = home.recorded()
    holder = runner(record) if record else None
    if holder is None or living(holder) is None:
        print_line(f"no local stack runs in {home.folder}")
        return EXIT_OK
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while living(holder) is not None:
        if time.monotonic() > deadline:
            print_note(f"process {holder.pid} has not ended within {STOP_SECONDS:.0f} s")
            return EXIT_ERROR
        time.sleep(POLL_SECONDS)
    print_line("stopped")
    return EXIT_OK


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


COLUMNS = (
    Column[dict[str, Any]]("part", lambda process: process["name"]),
    Column[dict[str, Any]]("process", lambda process: str(process["pid"] or ""), right=True),
    Column[dict[str, Any]]("port", lambda process: str(process["port"] or ""), right=True),
    Column[dict[str, Any]]("state", lambda process: coloured(process["state"], COLOURS.get(process["state"], "red"))),
    Column[dict[str, Any]]("detail", lambda process: process["detail"], prose=True),
)


def _lines(status: dict[str, Any]) -> Sequence[Text | str]:
    if not status["processes"]:
        return [f"no local stack runs in {status['home']}: start one with `bucatini up`"]
    urls = {name: url for name, url in status["urls"].items() if not name.startswith(METRICS)}
    return [
        *view_lines(status["processes"], COLUMNS),
        "",
        *(f"{name:12} {url}" for name, url in urls.items()),
        f"{'metrics':12} {status['urls']['metrics api']} of the api; of workers and dispatcher at their ports above",
        f"{'logs':12} {status['home']}/logs",
        f"{'admin key':12} {status['admin_key_file'] or 'not in this folder'}",
    ]
