"""What each process loads before it is ready. Ten of them start side by side on one machine, so each import counts."""

import subprocess
import sys

import pytest

PROCESSES = ("api.__main__", "producers.dispatcher.__main__", "workers.runtime.__main__", "producers.cli.flower")
PRINTED = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


@pytest.mark.parametrize("process", PROCESSES)
def test_no_service_loads_what_only_a_terminal_needs(process: str) -> None:
    assert not _packages(process) & {"rich", "typer", "markdown_it"}


@pytest.mark.parametrize("process", ["producers.dispatcher.__main__", "workers.runtime.__main__"])
def test_workers_and_dispatcher_load_neither_web_server_nor_migrations(process: str) -> None:
    assert not _packages(process) & {"starlette", "uvicorn", "api", "alembic", "sqlalchemy", "tornado", "flower"}


def test_a_stack_whose_tables_are_up_to_date_loads_no_migrations() -> None:
    assert not _packages("infrastructure.local_stack.up") & {"alembic", "sqlalchemy", "celery", "redis"}


def _packages(process: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", PRINTED, process], capture_output=True, text=True, check=True, timeout=120
    )
    return {module.partition(".")[0] for module in ran.stdout.split()}
