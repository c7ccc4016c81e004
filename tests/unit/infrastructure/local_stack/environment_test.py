"""The locks that every environment is made from."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infrastructure.local_stack.environment import CHECKOUT, DEVELOPMENT, RUNTIME, pinned

LOCKS = [RUNTIME, DEVELOPMENT]
PRODUCT = {"api", "bucatini", "events", "infrastructure", "kinds", "monitoring", "producers", "schemas", "workers"}
ENTRY = re.compile(r"^([a-z0-9._-]+)==(\S+)([^\\\n]*)((?:\\\n    --hash=\S+ ?)+)", re.MULTILINE)


def _entries(lock: str) -> list[tuple[str, str, str, str]]:
    return ENTRY.findall((CHECKOUT / lock).read_text())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_everything(lock: str) -> None:
    entries = _entries(lock)

    assert len(entries) > 100
    assert [name for name, _, _, hashes in entries if "--hash=sha256:" not in hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()

    assert "://" not in text
    assert "-index-url" not in text
    assert "find-links" not in text


def test_an_environment_made_for_tests_serves_the_product_too() -> None:
    runtime = {entry[:3] for entry in _entries(RUNTIME)}

    assert runtime <= {entry[:3] for entry in _entries(DEVELOPMENT)}


@pytest.mark.parametrize("name", ["uv", "hatchling", "editables"])
def test_what_makes_the_environment_is_locked_with_the_rest(name: str) -> None:
    entry = pinned(name, RUNTIME)

    assert re.match(rf"{name}==\d", entry)
    assert entry.count("--hash=sha256:") >= 2
    assert entry.count("==") == 1


def test_a_package_that_is_not_locked_is_not_installed() -> None:
    with pytest.raises(SystemExit, match="make lock"):
        pinned("requests-but-evil", RUNTIME)


def test_the_project_says_what_the_lock_was_made_from() -> None:
    assert _asked_for() <= {name for name, *_ in _entries(RUNTIME)}


def test_the_checkout_is_the_folder_with_the_makefile() -> None:
    assert Path(CHECKOUT / "Makefile").exists()


def test_every_library_that_the_product_imports_is_asked_for_by_name() -> None:
    asked_for = _asked_for()
    providers = packages_distributions()

    imported = {name for name in _imported() if name not in sys.stdlib_module_names and name not in PRODUCT}

    assert imported >= {"celery", "psycopg"}
    assert {name for name in imported if not asked_for & _normal(providers.get(name, []))} == set()


def _asked_for() -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return _normal(Requirement(line).name for line in project["dependencies"])


def _imported() -> Iterator[str]:
    for folder in PRODUCT:
        for file in (CHECKOUT / folder).rglob("*.py"):
            # For the client's wheel, which asks for its libraries itself; and for developers.
            if file.name in ("older_python.py", "snapshot.py"):
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


def _normal(names: Iterable[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}
