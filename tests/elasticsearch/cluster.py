"""Servers of a test's own: with security, or several that make one cluster, and that the test may kill."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.node import Node, make_snapshots_folder
from tests.waiting import wait_until

SINGLE: Mapping[str, object] = {"discovery.type": "single-node"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Its nodes, each of which may hold data and be the master."""

    nodes: tuple[Node, ...]
    snapshots: Path
    """Where a repository of the type `fs` may lie."""

    @property
    def urls(self) -> str:
        """With commas between, as ELASTICSEARCH_URL takes them."""
        return ",".join(node.url for node in self.nodes)


@contextmanager
def elasticsearch_cluster(
    folder: Path,
    distribution: Distribution,
    *,
    size: int = 1,
    secured: bool = False,
    settings: Mapping[str, object] | None = None,
    files: Mapping[str, str] | None = None,
    ca_file: Path | None = None,
) -> Iterator[Cluster]:
    """A cluster that is whole, killed at the end. Several nodes with security need settings and files with certificates."""
    ports = _different_ports(2 * size)
    together = _found_by_each_other(size, ports[size:]) if size > 1 else SINGLE
    nodes = tuple(
        Node(
            folder / f"node{number}",
            distribution,
            settings={**(settings or {}), **together},
            secured=secured,
            files=files or {},
            ca_file=ca_file,
            port=ports[number],
            transport_port=ports[size + number],
        )
        for number in range(size)
    )
    cluster = Cluster(nodes, make_snapshots_folder(folder))
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.await_ready()
        wait_until(lambda: len(nodes_in(nodes[0])) == size, "the cluster is whole")
        yield cluster
    finally:
        for node in nodes:
            node.kill()


def nodes_in(asked: Node) -> set[str]:
    """The names of the nodes that the asked one's cluster has."""
    return {node["name"] for node in asked.call("GET", "/_nodes/_all/name").json()["nodes"].values()}


def _found_by_each_other(size: int, ports: list[int]) -> Mapping[str, object]:
    return {
        "cluster.initial_master_nodes": [f"node{number}" for number in range(size)],
        "discovery.seed_hosts": [f"{LOOPBACK}:{port}" for port in ports],
    }


def _different_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)
