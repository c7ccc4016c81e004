"""The server that the tests stand on."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infrastructure.local_stack.servers.loopback import is_free
from tests.elasticsearch import java
from tests.elasticsearch.cluster import elasticsearch_cluster, nodes_in
from tests.elasticsearch.distribution import ARCHIVE, Distribution, NotHere, distribution
from tests.elasticsearch.java import java_home
from tests.elasticsearch.node import Node
from tests.source_tree import ROOT
from tests.waiting import wait_until


def test_it_is_a_real_one_that_finds_what_it_indexed(elasticsearch_url: str, elasticsearch_app: str) -> None:
    with httpx.Client(base_url=elasticsearch_url, trust_env=False, timeout=60) as http:
        assert http.get("/").json()["version"]["number"].startswith("9.")
        index = f"{elasticsearch_app}-dishes"
        put = http.put(f"/{index}/_doc/1", params={"refresh": "true"}, json={"title": "Bucatini all'amatriciana"})
        assert put.status_code == httpx.codes.CREATED
        found = http.post(f"/{index}/_search", json={"query": {"match": {"title": "bucatini"}}}).json()
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]


def test_it_guards_itself_with_keys_where_security_is_on(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution, secured=True) as cluster:
        (node,) = cluster.nodes
        body = {
            "name": "reader",
            "role_descriptors": {"reader": {"indices": [{"names": ["a"], "privileges": ["read"]}]}},
        }
        key = node.call("POST", "/_security/api_key", body).json()["encoded"]
        node.call("PUT", "/a/_doc/1?refresh=true", {"text": "a"})
        node.call("PUT", "/b/_doc/1?refresh=true", {"text": "b"})
        assert node.call("GET", "/a/_search", api_key=key).status_code == httpx.codes.OK
        assert node.call("GET", "/b/_search", api_key=key).status_code == httpx.codes.FORBIDDEN
        assert node.call("GET", "/a/_search", api_key="bm9ib2R5OmF0IGFsbA==").status_code == httpx.codes.UNAUTHORIZED


def test_three_that_are_one_cluster_go_on_when_one_is_killed_and_come_together_again(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution, size=3) as cluster:
        stays, killed, _ = cluster.nodes
        stays.call("PUT", "/a", {"settings": {"number_of_shards": 1, "number_of_replicas": 2}})
        stays.call("PUT", "/a/_doc/1?refresh=true&wait_for_active_shards=all", {"text": "a"})
        killed.kill()
        wait_until(lambda: nodes_in(stays) == {"node0", "node2"}, "the others have noticed")
        wait_until(lambda: _ids(stays) == ["1"], "what was written is still found")
        killed.start()
        wait_until(lambda: len(nodes_in(stays)) == 3, "it is back")


def _ids(node: Node) -> list[str]:
    answer = node.call("GET", "/a/_search")
    return [hit["_id"] for hit in answer.json()["hits"]["hits"]] if answer.status_code == httpx.codes.OK else []


def test_it_ends_with_a_run_that_is_killed(
    elasticsearch_distribution: Distribution, elasticsearch_folder: Path, tmp_path: Path
) -> None:
    told = tmp_path / "url"
    test = tmp_path / "shared_test.py"
    test.write_text(
        "import time\n"
        "from pathlib import Path\n\n"
        "def test_it(elasticsearch_url):\n"
        f"    Path({str(told)!r}).write_text(elasticsearch_url)\n"
        "    time.sleep(600)\n"
    )
    started = subprocess.Popen(
        [*_pytest(tmp_path), "-n", "2", str(test)],
        cwd=ROOT,
        env={**_environment(), "TMPDIR": str(elasticsearch_folder)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = wait_until(lambda: told.exists() and told.read_text(), "the run has a server", within_seconds=400)
        port = httpx.URL(str(url)).port
        assert port is not None
        assert not is_free(port)
    finally:
        started.kill()
        started.wait()
    wait_until(lambda: is_free(port), "its server is gone")


def test_where_it_cant_be_had_tests_are_skipped_and_say_how_to_get_it(tmp_path: Path) -> None:
    if java_home() is None:
        pytest.skip("without Java that is what is said")
    test = tmp_path / "shared_test.py"
    test.write_text("def test_it(elasticsearch_url):\n    pass\n")
    environment = {**_environment(), "XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)}
    ended = subprocess.run(
        [*_pytest(tmp_path), "-rs", str(test)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert "there is no Maven to fetch it with: `apt install maven`" in ended.stdout


def test_it_says_which_java_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JAVA_HOME", "PATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(java, "PLACES", ())
    with pytest.raises(NotHere, match="needs Java 21 or newer, and none is installed"):
        distribution()


@pytest.mark.parametrize(
    ("maven", "told"),
    [
        ("echo '[ERROR] no route to the repository'; exit 1", "and says: .ERROR. no route to the repository"),
        (f'd="${{4#*=}}/{Path(ARCHIVE).parent}"; mkdir -p "$d"; : > "$d/{Path(ARCHIVE).name}"', "has the SHA-256 e3b0"),
    ],
    ids=["fails", "brings another file"],
)
def test_it_says_what_maven_said(maven: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if java_home() is None:
        pytest.skip("without Java nothing is fetched")
    program = tmp_path / "mvn"
    program.write_text(f"#!/bin/sh\n{maven}\n")
    program.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NotHere, match=told):
        distribution()
    assert [path.suffix for path in (tmp_path / "cache" / "bucatini").iterdir()] == [".lock"]


def _pytest(folder: Path) -> list[str]:
    """As a run of its own, which takes nothing but our server from this one."""
    plugins = ("-p", "tests.side_by_side", "-p", "tests.elasticsearch.fixtures")
    return [sys.executable, "-m", "pytest", *plugins, "-c", "/dev/null", "--rootdir", str(folder)]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
