"""The locks that every environment is made from."""

import re
from pathlib import Path

import pytest

from infrastructure.local_stack.environment import CHECKOUT, DEVELOPMENT, RUNTIME, pinned

LOCKS = [RUNTIME, DEVELOPMENT]
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
    project = (CHECKOUT / "pyproject.toml").read_text()
    wanted = re.search(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert wanted is not None
    names = {name.lower() for name in re.findall(r'"([A-Za-z0-9._-]+)', wanted.group(1))}

    assert names <= {name for name, *_ in _entries(RUNTIME)}


def test_the_checkout_is_the_folder_with_the_makefile() -> None:
    assert Path(CHECKOUT / "Makefile").exists()
