"""What each process loads before it is ready. Ten of them start side by side on one machine, so each import counts."""

import subprocess
import sys

import pytest

PROCESSES = ("api.__main__", "producers.dispatcher.__main__", "workers.runtime.__main__", "producers.cli.flower")
MAX_MODELS_BUILT = 10
"""Of hundreds. Some are the values of constants."""
PRINTED = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


@pytest.mark.parametrize("process", PROCESSES)
def test_no_service_loads_what_only_a_terminal_needs(process: str) -> None:
    assert not _packages(process) & {"rich", "typer", "markdown_it"}


@pytest.mark.parametrize("process", ["producers.dispatcher.__main__", "workers.runtime.__main__"])
def test_workers_and_dispatcher_load_neither_web_server_nor_migrations(process: str) -> None:
    assert not _packages(process) & {"starlette", "uvicorn", "api", "alembic", "sqlalchemy", "tornado", "flower"}


def test_a_stack_whose_tables_are_up_to_date_loads_no_migrations() -> None:
    assert not _packages("infrastructure.local_stack.up") & {"alembic", "sqlalchemy", "celery", "redis"}


@pytest.mark.parametrize("pool", ["ai", "search", "workflow", "keys", "webhooks"])
def test_no_pool_loads_what_only_some_of_its_jobs_need(pool: str) -> None:
    assert not _packages(f"workers.{pool}.tasks") & {"sqlalchemy", "liquid", "babel", "numpy", "py3langid"}


@pytest.mark.parametrize("process", PROCESSES)
def test_nobody_loads_what_exports_traces_before_a_collector_is_named(process: str) -> None:
    modules = _modules(process)

    # redis-py loads a part of the SDK by itself where that is installed.
    assert not {
        one for one in modules if one.startswith(("opentelemetry.exporter", "opentelemetry.sdk.trace", "google."))
    }


def test_the_ingress_writes_no_documents_before_somebody_asks() -> None:
    loaded = _modules("api.__main__")

    assert "api.documentation.pages" in loaded
    assert not {"api.documentation.openapi", "api.documentation.examples.catalogue"} & loaded


def test_a_model_is_built_when_it_is_used() -> None:
    script = """
import events.catalogue
from schemas.model import Model
def below(model):
    for one in model.__subclasses__(): yield one; yield from below(one)
print(*[one.__qualname__ for one in below(Model) if one.__pydantic_complete__])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)

    assert len(ran.stdout.split()) < MAX_MODELS_BUILT, ran.stdout


def _packages(process: str) -> set[str]:
    return {module.partition(".")[0] for module in _modules(process)}


def _modules(process: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", PRINTED, process], capture_output=True, text=True, check=True, timeout=120
    )
    return set(ran.stdout.split())
