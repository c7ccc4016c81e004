"""`bucatini search setup` and what `bucatini doctor` says of Elasticsearch."""

import json
from pathlib import Path

import pytest

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from tests.forked import Ended, run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(elasticsearch_url: str, elasticsearch_app: str, tmp_path: Path) -> dict[str, str]:
    return {
        "ELASTICSEARCH_URL": elasticsearch_url,
        "ELASTICSEARCH_APP": elasticsearch_app,
        "BUCATINI_HOME": str(tmp_path),
    }


def _typed(environment: dict[str, str], *words: str) -> Ended:
    return run("producers.cli", *words, environment=environment, folder=ROOT)


def test_setup_says_what_it_did_and_doctor_what_is_missing(environment: dict[str, str]) -> None:
    before = _typed(environment, "doctor")
    assert "run `bucatini search setup`" in before.stdout

    first = _typed(environment, "search", "setup")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count(" is put") == 3
    second = _typed(environment, "search", "setup", "-o", "json")
    assert {one["was"] for one in json.loads(second.stdout)} == {"none"}

    after = _typed(environment, "doctor")
    assert "✓ search       Elasticsearch 9." in after.stdout


def test_the_embedded_engine_needs_none(tmp_path: Path) -> None:
    typed = _typed({"BUCATINI_HOME": str(tmp_path)}, "search", "setup")

    assert typed.returncode == 0
    assert typed.stdout == "the search engine is the embedded one: there is nothing to set up\n"


def test_a_server_that_is_away_is_said_in_one_line(environment: dict[str, str]) -> None:
    away = {**environment, "ELASTICSEARCH_URL": f"http://{LOOPBACK}:{free_port()}"}

    typed = _typed(away, "search", "setup")
    assert typed.returncode != 0
    assert typed.stderr == (
        "bucatini: Elasticsearch can't be reached: is it started, and is ELASTICSEARCH_URL right?\n"
    )
    assert "Elasticsearch can't be reached" in _typed(away, "doctor").stdout
