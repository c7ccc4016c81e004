"""Searching over HTTP: suggestions, facets, synonyms, slow searches and advice, each tenant for itself."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import httpx
import pytest

from infrastructure.ports.search import IndexedDocument
from infrastructure.settings import Settings
from infrastructure.wiring import search_engine
from schemas.search import Rule
from tests.contracts.search.searching import batches, document
from tests.integration.serving import Tenant, World
from tests.waiting import wait_until

SYNONYMS = "/api/search/synonyms"
SLOW = "/api/search/slow-queries"

LEASES = [
    document("lease", "The warehouse and its notice period", title="Lease of a warehouse", document_type="lease"),
    document("nda", "A mutual non disclosure agreement", title="Mutual agreement", tags=("signed",)),
    document("old", "An old draft", title="Leaseback draft", document_type="draft", pages=7),
]


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """Every search counts as slow."""
    return api_settings.model_copy(update={"search_slow_seconds": 1e-9})


def fill(world: World, tenant_id: UUID, documents: Iterable[IndexedDocument] = LEASES) -> None:
    async def rebuild() -> None:
        async with search_engine(world.settings) as engine:
            await engine.rebuild(tenant_id, batches(*documents))

    asyncio.run(rebuild())


def tenant_with_leases(world: World, *scopes: str) -> Tenant:
    tenant = world.tenant(*scopes)
    fill(world, tenant.id)
    return tenant


def ids(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {hit["document_id"] for hit in answer.json()["hits"]}


def test_a_search_reads_what_was_typed_and_corrects_it(world: World) -> None:
    with world.http(tenant_with_leases(world)) as http:
        found = http.post("/api/search/query", json={"text": "warehuose -draft"})
        page = http.post("/api/search/advanced", json={"limit": 2})
        cursor = page.json()["next_cursor"]
        rest = http.post("/api/search/advanced", json={"limit": 2, "cursor": cursor})
        other = http.post("/api/search/advanced", json={"limit": 1, "cursor": cursor})

    assert ids(found) == {"lease"}
    assert (found.json()["did_you_mean"], found.json()["corrected"]) == ("warehouse -draft", True)
    assert ids(page) | ids(rest) == {"lease", "nda", "old"}
    assert rest.json()["next_cursor"] is None
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (400, "cursor-invalid")


def test_what_is_typed_is_completed_among_what_passes_the_filters(world: World) -> None:
    with world.http(tenant_with_leases(world)) as http:
        all_of_them = http.get("/api/search/suggest", params={"q": "lea"}).json()
        leases = http.get("/api/search/autocomplete", params={"q": "lea", "document_types": "lease,other"}).json()
        better = http.get("/api/search/suggest", params={"q": "warehuose"}).json()

    titles = {one["text"] for one in all_of_them["suggestions"] if one["document_id"]}
    assert titles == {"Lease of a warehouse", "Leaseback draft"}
    assert {one["document_id"] for one in leases["suggestions"]} - {None} == {"lease"}
    assert better == {"suggestions": [], "did_you_mean": "warehouse"}


def test_a_deleted_document_is_suggested_no_more(world: World) -> None:
    tenant = world.tenant()
    with world.http(tenant) as http:
        made = http.post("/api/documents", json={"id": "gone", "title": "Leases of the past", "text": "Some words."})
        assert made.status_code in (200, 201, 202), made.text
        fill(world, tenant.id, [document("gone", title="Leases of the past"), *LEASES])
        assert http.delete("/api/documents/gone").status_code in (200, 202, 204)
        suggested = http.get("/api/search/suggest", params={"q": "lea"}).json()["suggestions"]

    assert {one["document_id"] for one in suggested} - {None} == {"lease", "old"}


def test_facets_are_counted_without_hits(world: World) -> None:
    with world.http(tenant_with_leases(world)) as http:
        everything = http.get("/api/search/facets", params={"fields": "document_type,tags"}).json()
        some = http.get("/api/search/facets", params={"fields": "document_type", "q": "draft", "pages_below": 9}).json()
        wrong = http.get("/api/search/facets", params={"fields": "document_type,colour"})

    assert everything["total"] == 3
    counts = {facet["field"]: {one["value"]: one["count"] for one in facet["values"]} for facet in everything["facets"]}
    assert counts == {"document_type": {"lease": 1, "contract": 1, "draft": 1}, "tags": {"signed": 1}}
    assert (some["total"], some["facets"][0]["values"]) == (1, [{"value": "draft", "count": 1}])
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/fields")


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"languages": "en,Klingon!"}, "/query/languages/1"),
        ({"created_since": "2026-01-02T00:00:00Z", "created_before": "2026-01-01T00:00:00Z"}, "/query/created"),
        ({"pages_below": "-1"}, "/query/pages_below"),
        ({"colour": "red"}, "/query/colour"),
    ],
)
def test_a_filter_that_cant_be_is_named(world: World, parameters: dict[str, str], pointer: str) -> None:
    with world.http(world.tenant()) as http:
        for path in ("/api/search/facets?fields=tags", "/api/search/suggest?q=lea"):
            refused = http.get(path, params=httpx.URL(path).params.merge(parameters))
            assert refused.status_code == 422, refused.text
            assert refused.json()["errors"][0]["pointer"] == pointer


def test_synonyms_are_live_in_seconds_and_touch_no_other_tenant(world: World) -> None:
    tenant, other = tenant_with_leases(world), tenant_with_leases(world)
    search = {"text": "secrecy", "correct": False}
    with world.http(tenant) as http, world.http(other) as elsewhere:
        nothing = http.get(SYNONYMS)
        assert ids(http.post("/api/search/query", json=search)) == set()
        chosen = {"groups": [{"terms": ["secrecy", "non-disclosure"]}]}
        stored = http.put(SYNONYMS, json=chosen)
        wait_until(lambda: ids(http.post("/api/search/query", json=search)) == {"nda"}, "the synonyms are live")

        assert (nothing.json()["version"], nothing.headers["etag"]) == (0, '"0"')
        assert (stored.status_code, stored.json()["version"], stored.headers["etag"]) == (200, 1, '"1"')
        assert stored.json()["updated_by"] == f"key {tenant.key_id}"
        assert http.get(SYNONYMS).json() == stored.json()
        assert ids(elsewhere.post("/api/search/query", json=search)) == set()
        assert elsewhere.get(SYNONYMS).json()["groups"] == []

        http.put(SYNONYMS, json={"sets": ["legal"]})
        legal = {"text": "confidentiality agreement", "correct": False, "widen": False}
        wait_until(lambda: ids(http.post("/api/search/query", json=legal)) == {"nda"}, "the set is live")
        assert ids(http.post("/api/search/query", json=search)) == set()


def test_synonyms_that_somebody_else_changed_are_not_overwritten(world: World) -> None:
    with world.http(world.tenant()) as http:
        first = http.put(SYNONYMS, json={"sets": ["legal"]}, headers={"if-match": '"0"'})
        late = http.put(SYNONYMS, json={"sets": ["technology"]}, headers={"if-match": '"0"'})
        again = http.put(SYNONYMS, json={"sets": ["legal"]}, headers={"if-match": "*"})
        unread = http.put(SYNONYMS, json={"sets": []}, headers={"if-match": "one"})
        standing = http.get(SYNONYMS).json()

    assert [one.status_code for one in (first, late, again, unread)] == [200, 412, 200, 400]
    assert late.headers["etag"] == '"1"'
    assert (standing["version"], standing["sets"]) == (1, ["legal"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"groups": [{"terms": ["a", "b"]}, {"terms": ["a", "one two three four five six"]}]}, "/groups/1/terms/1"),
        ({"rules": [{"term": "a", "finds": ["&"]}]}, "/rules/0/finds/0"),
        ({"sets": ["medical"]}, "/sets/0"),
        ({"groups": [{"terms": ["alone"]}]}, "/groups/0/terms"),
        ({"words": []}, "/words"),
    ],
)
def test_a_synonym_that_cant_be_is_named(world: World, body: dict[str, Any], pointer: str) -> None:
    with world.http(world.tenant()) as http:
        refused = http.put(SYNONYMS, json=body)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


def test_only_who_may_change_what_searches_find_sets_synonyms(world: World) -> None:
    with world.http(world.tenant("search:read")) as http:
        assert http.get(SYNONYMS).status_code == 200
        assert http.put(SYNONYMS, json={}).status_code == 403
    with world.http(world.tenant("jobs:read")) as http:
        for path in (SYNONYMS, SLOW, "/api/search/facets?fields=tags", "/api/search/suggest?q=a"):
            assert http.get(path).status_code == 403


def test_a_slow_search_is_listed_without_its_words_and_lies_sealed(world: World) -> None:
    tenant, other = tenant_with_leases(world), tenant_with_leases(world)
    with world.http(tenant) as http, world.http(other) as elsewhere:
        for number in range(3):
            http.post("/api/search/query", json={"text": f"warehouse -secret{number}", "filters": {"tags": ["hidden"]}})
        wait_until(lambda: len(http.get(SLOW).json()["queries"]) == 3, "they are kept")
        listed = http.get(SLOW, params={"limit": 2}).json()
        following = http.get(SLOW, params={"limit": 2, "cursor": listed["next_cursor"]}).json()
        assert elsewhere.get(SLOW).json() == {"queries": [], "next_cursor": None}
        assert http.get(SLOW, params={"limit": 2, "cursor": listed["next_cursor"][:-2]}).status_code == 400

    queries = [*listed["queries"], *following["queries"]]
    assert len({one["id"] for one in queries}) == 3
    assert following["next_cursor"] is None
    assert queries[0]["shape"]["ops"] == {"all_of": 1, "all_terms": 2, "none_of": 1}
    assert queries[0]["shape"]["filters"] == ["tags"]
    for text in (str(queries), str(world.database.execute("SELECT * FROM search_slow_queries").fetchall())):
        assert not any(word in text for word in ("warehouse", "secret", "hidden"))


def test_the_newest_slow_searches_of_a_tenant_are_kept(world: World) -> None:
    tenant = tenant_with_leases(world)
    world.database.execute(
        "INSERT INTO search_slow_queries (tenant_id, cell, found) SELECT %s, '00000000-0000-7000-8000-' || "
        "lpad(n::text, 12, '0'), %s::jsonb FROM generate_series(1, 230) n",
        (tenant.id, '{"took_seconds": 1, "hits": 1, "shape": {}}'),
    )
    count = "SELECT count(*) FROM search_slow_queries WHERE tenant_id = %s AND query IS NOT NULL"
    with world.http(tenant) as http:
        http.post("/api/search/query", json={"text": "warehouse"})
        wait_until(lambda: world.database.execute(count, (tenant.id,)).fetchone() == (1,), "the slow search is kept")

    (left,) = world.database.execute("SELECT count(*) FROM search_slow_queries").fetchone() or (0,)
    assert left == 200


def test_a_slow_search_is_replayed_and_its_rewrites_are_judged(world: World) -> None:
    tenant, other = tenant_with_leases(world), world.tenant()
    slow = {
        "match": {
            "op": "all_of",
            "clauses": [
                {"op": "all_terms", "text": "warehouse", "fuzzy": True},
                {"op": "terms", "field": "document_type", "values": ["lease"]},
            ],
        }
    }
    with world.http(tenant) as http, world.http(other) as elsewhere:
        http.post("/api/search/query", json=slow)
        (kept,) = wait_until(lambda: http.get(SLOW).json()["queries"], "it is kept")
        advice = http.post("/api/search/advise", json={"slow_query_id": kept["id"]})
        same = http.post("/api/search/advise", json={"query": slow})
        foreign = elsewhere.post("/api/search/advise", json={"slow_query_id": kept["id"]})
        neither = http.post("/api/search/advise", json={})

    assert advice.status_code == 200, advice.text
    for found in (advice.json(), same.json()):
        assert (found["hits"], found["runs"] >= 3) == (1, True)
        assert {one["rule"] for one in found["rewrites"]} == {Rule.EXACT_WORDS, Rule.FILTERS}
        assert all(one["outcome"] in ("faster", "no_gain") and one["gain"] > 0 for one in found["rewrites"])
    assert (foreign.status_code, neither.status_code) == (404, 422)
