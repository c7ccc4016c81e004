"""The configuration that operators are given, on three real nodes with security and certificates."""

import asyncio
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own
from pydantic import SecretStr

from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.inspection import Inspected, inspect
from infrastructure.elasticsearch.setup import set_up
from infrastructure.ports import Unavailable
from infrastructure.settings import Settings
from tests.elasticsearch.certificates import certificates
from tests.elasticsearch.cluster import Cluster, elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.node import ADMIN, PASSWORD
from tests.waiting import wait_until

CONFIGURATION = files("infrastructure.elasticsearch") / "configuration"
OF_A_MACHINE = ("node.name", "network.", "http.port", "transport.port", "discovery.", "cluster.initial", "path.")
"""Settings that name hosts and folders, which are others here."""
ROLES = ("bucatini_indexing", "bucatini_search", "bucatini_setup", "bucatini_snapshots")
OURS = "bucatini-aaaaaaaaaaaaaaaaaaaa-documents-g1-2026.03-000001"
OTHERS = "lasagne-aaaaaaaaaaaaaaaaaaaa-documents-g1-2026.03-000001"


def _read(name: str) -> Any:
    text = (CONFIGURATION / name).read_text(encoding="utf-8")
    return yaml.safe_load(text) if name.endswith(".yml") else json.loads(text)


@pytest.fixture(scope="module")
def cluster(elasticsearch_distribution: Distribution) -> Iterator[Cluster]:
    made = certificates()
    settings = {name: value for name, value in _read("elasticsearch.yml").items() if not name.startswith(OF_A_MACHINE)}
    configured = {
        "roles.yml": (CONFIGURATION / "roles.yml").read_text(encoding="utf-8"),
        "certificates/ca.crt": made.authority,
        "certificates/node.crt": made.certificate,
        "certificates/node.key": made.key,
    }
    with TemporaryDirectory(prefix="bucatini-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "ca.crt").write_text(made.authority)
        with elasticsearch_cluster(
            folder,
            elasticsearch_distribution,
            size=3,
            secured=True,
            settings=settings,
            files=configured,
            ca_file=folder / "ca.crt",
        ) as started:
            for role in ROLES:
                body = {"password": PASSWORD, "roles": [role]}
                assert started.nodes[0].call("PUT", f"/_security/user/{role}", body).is_success
            asyncio.run(_put_templates(_settings(started, "bucatini_setup")))
            yield started


async def _put_templates(settings: Settings) -> None:
    async with elasticsearch(settings) as client:
        await set_up(client, settings.elasticsearch_app)


def _settings(cluster: Cluster, user: str, **more: Any) -> Settings:
    given = {
        "elasticsearch_url": SecretStr(cluster.urls),
        "elasticsearch_user": user,
        "elasticsearch_password": SecretStr(PASSWORD),
        "elasticsearch_ca_file": cluster.nodes[0].ca_file,
    }
    return Settings(**{**given, **more})


def _status(cluster: Cluster, user: str, method: str, path: str, body: Any = None) -> int:
    node = cluster.nodes[0]
    with httpx.Client(
        base_url=node.url, auth=(user, PASSWORD), verify=node.trusted(), trust_env=False, timeout=60
    ) as http:
        return http.request(method, path, json=body).status_code


def _inspected(settings: Settings) -> Inspected:
    return asyncio.run(inspect(settings))


def test_each_role_can_do_its_work_and_no_more(cluster: Cluster) -> None:
    def status(user: str, method: str, path: str, body: Any = None) -> int:
        return _status(cluster, user, method, path, body)

    # Only what it was asked for by name is made, never by a document that names it.
    assert status("bucatini_indexing", "PUT", f"/{OURS}/_doc/1", {"id": "1"}) == httpx.codes.NOT_FOUND
    assert status("bucatini_indexing", "PUT", f"/{OURS}") == httpx.codes.OK
    assert status("bucatini_indexing", "PUT", f"/{OURS}/_doc/1?refresh=true", {"id": "1"}) == httpx.codes.CREATED
    alias = {"actions": [{"add": {"index": OURS, "alias": "bucatini-aaaaaaaaaaaaaaaaaaaa-documents-read"}}]}
    assert status("bucatini_indexing", "POST", "/_aliases", alias) == httpx.codes.OK
    assert status("bucatini_indexing", "PUT", f"/{OTHERS}") == httpx.codes.FORBIDDEN
    assert status("bucatini_indexing", "PUT", "/_component_template/mine", {"template": {}}) == httpx.codes.FORBIDDEN

    assert status("bucatini_search", "POST", f"/{OURS}/_search") == httpx.codes.OK
    assert status("bucatini_search", "PUT", f"/{OURS}/_doc/2", {"id": "2"}) == httpx.codes.FORBIDDEN
    assert status("bucatini_search", "POST", f"/{OTHERS}/_search") == httpx.codes.FORBIDDEN
    assert status("bucatini_setup", "POST", f"/{OURS}/_search") == httpx.codes.FORBIDDEN


def test_doctor_says_what_a_user_lacks(cluster: Cluster) -> None:
    indexing = _inspected(_settings(cluster, "bucatini_indexing"))
    assert (indexing.nodes, indexing.secured, indexing.flaws) == (3, True, ())

    searching = _inspected(_settings(cluster, "bucatini_search"))
    assert any("lacks create_index, delete_index, manage, write" in flaw for flaw in searching.flaws)


def test_a_key_lets_in_where_it_is_meant_for(cluster: Cluster) -> None:
    rights = {"indices": [{"names": [OTHERS], "privileges": ["read"]}]}
    key = cluster.nodes[0].call("POST", "/_security/api_key", {"name": "one", "role_descriptors": {"one": rights}})
    settings = _settings(
        cluster, "", elasticsearch_user=None, elasticsearch_password=None,
        elasticsearch_api_key=SecretStr(key.json()["encoded"]),
    )  # fmt: skip

    async def search() -> None:
        async with elasticsearch(settings) as client, translated():
            await client.search(index=OURS)

    with pytest.raises(Unavailable, match="may not do what is needed"):
        asyncio.run(search())


@pytest.mark.parametrize(("more", "told"), [
    ({"elasticsearch_password": SecretStr("wrong")}, "refuses the key or the password"),
    ({"elasticsearch_ca_file": None}, "certificate isn't trusted"),
])  # fmt: skip
def test_who_isnt_let_in_or_isnt_trusted_is_told(more: Any, told: str, cluster: Cluster) -> None:
    with pytest.raises(Unavailable, match=told):
        _inspected(_settings(cluster, ADMIN, **more))


def test_what_a_snapshot_holds_comes_back_after_the_index_is_lost(cluster: Cluster) -> None:
    index = OURS.replace("000001", "000002")
    for method, path, body in (
        ("PUT", f"/{index}", None),
        ("PUT", f"/{index}/_doc/1?refresh=true", {"id": "1", "title": "Kept"}),
        ("PUT", "/_snapshot/bucatini", _read("snapshot_repository.json")),
    ):
        assert cluster.nodes[0].call(method, path, body).is_success

    config = _read("snapshot_policy.json")["config"]
    taken = _status(cluster, "bucatini_snapshots", "PUT", "/_snapshot/bucatini/one?wait_for_completion=true", config)
    assert taken == httpx.codes.OK
    assert cluster.nodes[0].call("DELETE", f"/{index}").is_success
    restored = cluster.nodes[0].call(
        "POST", "/_snapshot/bucatini/one/_restore?wait_for_completion=true", {"indices": index}
    )
    assert restored.is_success, restored.text

    found = cluster.nodes[0].call("GET", f"/{index}/_doc/1").json()
    assert found["_source"] == {"id": "1", "title": "Kept"}


def test_with_one_of_three_nodes_away_the_others_go_on(cluster: Cluster) -> None:
    killed = cluster.nodes[0]
    killed.kill()
    try:
        # The client asks the others by itself.
        wait_until(lambda: _nodes(cluster) == 2, "the others have noticed")
    finally:
        killed.start()
    wait_until(lambda: _nodes(cluster) == 3, "it is back")


def _nodes(cluster: Cluster) -> int:
    try:
        return _inspected(_settings(cluster, ADMIN)).nodes
    except Unavailable:
        return 0


def test_what_this_server_lacks_is_well_formed_at_least() -> None:
    """Policies of lifecycles and snapshots need modules that it doesn't have."""
    phases = _read("lifecycle_policy.json")["policy"]["phases"]
    assert phases.keys() == {"hot", "warm"}
    assert not any("readonly" in phase["actions"] or "shrink" in phase["actions"] for phase in phases.values())
    assert _read("snapshot_policy.json")["repository"] == "bucatini"
