"""`bucatini search slow` and `advise` against the real ingress."""

import json
from pathlib import Path

import pytest

from infrastructure.settings import Settings
from tests.integration.cli.jobs_test import Terminal
from tests.integration.search.routes_test import LEASES, fill
from tests.integration.serving import Tenant, World
from tests.waiting import wait_until

SLOW = {"match": {"op": "all_terms", "text": "warehouse", "fuzzy": True}, "filters": {"document_types": ["lease"]}}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """Every search counts as slow."""
    return api_settings.model_copy(update={"search_slow_seconds": 1e-9})


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant("search:read")


@pytest.fixture
def terminal(world: World, tenant: Tenant, tmp_path: Path) -> Terminal:
    return Terminal(world, tenant, tmp_path)


def test_slow_searches_are_listed_and_advised_on_by_id_or_from_a_file(
    world: World, tenant: Tenant, terminal: Terminal, tmp_path: Path
) -> None:
    fill(world, tenant.id, LEASES)
    assert terminal.type("search", "slow").stdout.strip() == "no slow searches"
    with world.http(tenant) as http:
        http.post("/api/search/query", json=SLOW)
        (kept,) = wait_until(lambda: http.get("/api/search/slow-queries").json()["queries"], "it is kept")
    file = tmp_path / "search.json"
    file.write_text(json.dumps(SLOW), encoding="utf-8")

    listed = terminal.type("search", "slow").stdout
    by_id, from_file = (terminal.type("search", "advise", what) for what in (kept["id"], str(file)))

    assert kept["id"] in listed
    assert "all_terms~:1" in listed
    assert "document_types" in listed
    for advised in (by_id, from_file):
        assert advised.returncode == 0, advised.stderr
        assert "for 1 hits" in advised.stdout
        assert "exact_words" in advised.stdout
        assert "the same hits" in advised.stdout
    whole = json.loads(terminal.type("search", "advise", str(file), "-o", "json").stdout)
    assert whole["rewrites"][0]["query"]["match"]["fuzzy"] is False


def test_what_is_no_search_is_refused_with_its_reason(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "search.json"
    file.write_text('{"text": "a", "limit": 1000}', encoding="utf-8")

    for what, said in (
        (str(file), "limit"),
        (str(tmp_path / "nothing.json"), "nothing.json"),
        ("0198c0de-0000-7000-8000-000000000000", "404"),
    ):
        refused = terminal.type("search", "advise", what)
        assert refused.returncode != 0
        assert said in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
