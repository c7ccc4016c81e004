"""The index of commands, and what a call of one loads."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from producers.cli.app import COMMANDS
from producers.cli.lazy_group import loaded

ROOT = Path(__file__).parents[4]
LOADED = "import sys; from producers.cli.app import main\ntry: main()\nfinally: print(*[name for name, module in sys.modules.items() if module], file=sys.stderr)"
OF_NO_USE = ("celery", "kombu", "sqlalchemy", "psycopg", "redis", "starlette", "uvicorn", "pygments", "rich.progress")
"""What a command that asks the ingress never needs, and what once made it slow."""
OF_OTHERS = ("schemas.workflow", "schemas.search", "events.ai", "websockets", "producers.client.asynchronous.client")
"""What a command that neither submits nor follows doesn't need."""
MAX_MODULES = 500
"""A count, since time depends on the machine. A call loaded 445 when this was written."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_index_is_what_the_command_says_of_itself(name: str) -> None:
    command = loaded(name, COMMANDS[name])

    assert (command.help or "").startswith(COMMANDS[name].line.rstrip("."))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_that_prints_an_answer_has_the_same_output_option(name: str) -> None:
    silent = {
        "up",
        "down",
        "migrate",
        "api",
        "dispatcher",
        "worker",
        "flower",
        "celery",
        "follow",
        "get",
        "text",
        "profile",
        "credentials",
        "providers",
        "saved",
    }
    for inner, command in _commands(name).items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert inner in silent or {"--output", "-o"} <= options, f"{name} {inner}"
        assert "--json" not in options


def test_help_imports_no_command_group() -> None:
    assert not [one for one in _modules("--help") if one in {command.module for command in COMMANDS.values()}]


@pytest.mark.parametrize("words", [("jobs", "list"), ("failures",), ("schedules", "list"), ("api-keys", "list")])
def test_a_call_imports_only_what_it_needs(words: tuple[str, ...]) -> None:
    modules = _modules(*words)

    assert not [one for one in modules if one in OF_NO_USE]
    assert not [one for one in modules if one in OF_OTHERS]
    assert "httpx" in modules, "it asked the ingress"
    assert len(modules) < MAX_MODULES
    assert not [one for one in modules if one.startswith(("workers.", "api.", "infrastructure.postgres"))]


def _commands(name: str) -> Mapping[str, Any]:
    command = loaded(name, COMMANDS[name])
    inner: Mapping[str, Any] = getattr(command, "commands", {name: command})
    return inner


def _modules(*words: str) -> list[str]:
    """The modules that a call of `bucatini` has loaded when it ends. Nobody listens where it asks."""
    environment = {"BUCATINI_URL": "http://127.0.0.1:9", "BUCATINI_API_KEY": "bct_none", "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", LOADED, *words]
    ran = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False, timeout=120)
    return ran.stderr.splitlines()[-1].split()
