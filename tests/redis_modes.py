"""Redis as it runs where it must not be away: a master with a replica watched by Sentinels, and a cluster. Real servers."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.crc import key_slot

from infrastructure.local_stack.servers import loopback
from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port, is_free
from infrastructure.local_stack.servers.redis import server_binary
from infrastructure.local_stack.supervisor.processes import Program, Running
from infrastructure.redis.address import IN_ONE_SLOT
from tests.waiting import GUARD_SECONDS, wait_until

PASSWORD, SENTINELS_PASSWORD = "sPaGhEtTi4711", "bUcAtInI0815"
MASTER = "main"
SLOTS = 16_384
BUS = 10_000
"""The nodes of a cluster speak to each other on ports that much above their own."""
USUAL = f"""\
bind {LOOPBACK}
dir .
save ""
maxmemory-policy noeviction
requirepass {PASSWORD}
masterauth {PASSWORD}
"""


@dataclass(slots=True)
class Node:
    """One server process on a port of its own."""

    folder: Path
    configuration: str
    arguments: tuple[str, ...] = ()
    password: str = PASSWORD
    port: int = field(default_factory=free_port)
    running: Running | None = None

    def start(self) -> None:
        self.launch().await_ready(self._answers, within_seconds=GUARD_SECONDS)

    def launch(self, more: str = "") -> Running:
        """Starts it with more in its configuration, and doesn't wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "redis.conf"
        file.write_text(f"port {self.port}\n{self.configuration}{more}")
        argv = (server_binary(), str(file), *self.arguments)
        log = self.folder / "redis.log"
        self.running = Running(Program("redis", argv, log, environment={"LC_ALL": "C"}, folder=self.folder))
        return self.running

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()

    def client(self) -> "redis.Redis":
        return redis.Redis(LOOPBACK, self.port, password=self.password, decode_responses=True, socket_timeout=5)

    def _answers(self) -> bool:
        with self.client() as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False


@dataclass(frozen=True, slots=True)
class Watched:
    """A master, its replica, and three Sentinels."""

    servers: tuple[Node, Node]
    sentinels: tuple[Node, ...]

    @property
    def url(self) -> str:
        hosts = ",".join(f"{LOOPBACK}:{sentinel.port}" for sentinel in self.sentinels)
        return f"sentinel://:{PASSWORD}@{hosts}/{MASTER}?sentinel_password={SENTINELS_PASSWORD}"

    def master(self) -> Node:
        with self.sentinels[-1].client() as client:
            port = int(client.sentinel_get_master_addr_by_name(MASTER)[1])
        return next(server for server in self.servers if server.port == port)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three masters and a replica of the one that has our slot."""

    nodes: tuple[Node, ...]

    @property
    def url(self) -> str:
        return f"cluster://:{PASSWORD}@" + ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)

    def holder(self) -> Node:
        slot = key_slot(IN_ONE_SLOT.encode())
        for asked in self.nodes:
            with asked.client() as client, suppress(redis.RedisError):
                for first, last, (_, port, *_), *_ in client.execute_command("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return next(node for node in self.nodes if node.port == port)
        raise AssertionError("nobody has our slot")


@contextmanager
def watched_redis(folder: Path) -> Iterator[Watched]:
    with ExitStack() as started:
        master = _started(started, Node(folder / "one", USUAL))
        replica = _started(started, Node(folder / "two", f"{USUAL}replicaof {LOOPBACK} {master.port}\n"))
        wait_until(lambda: _info(replica)["master_link_status"] == "up", "the replica follows its master")
        configuration = (
            f"bind {LOOPBACK}\nrequirepass {SENTINELS_PASSWORD}\n"
            f"sentinel monitor {MASTER} {LOOPBACK} {master.port} 2\nsentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 5000\n"
        )
        sentinels = tuple(
            _started(started, Node(folder / f"sentinel{number}", configuration, ("--sentinel",), SENTINELS_PASSWORD))
            for number in range(3)
        )
        for sentinel in sentinels:
            wait_until(lambda sentinel=sentinel: _is_sure(sentinel), "each Sentinel knows everybody")  # type: ignore[misc]
        yield Watched((master, replica), sentinels)


@contextmanager
def redis_cluster(folder: Path) -> Iterator[Cluster]:
    configuration = f"{USUAL}cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 1500\n"
    with ExitStack() as started:
        nodes = tuple(
            _started(started, Node(folder / f"node{number}", configuration, port=port_with_bus()))
            for number in range(4)
        )
        *masters, replica = nodes
        for number, node in enumerate(masters):
            slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTS", *slots)
        with nodes[0].client() as client:
            for node in nodes[1:]:
                client.execute_command("CLUSTER MEET", LOOPBACK, node.port)
        cluster = Cluster(nodes)
        wait_until(lambda: all(_is_whole(node) for node in nodes), "the cluster is whole")
        with replica.client() as client, cluster.holder().client() as holder:
            client.execute_command("CLUSTER REPLICATE", holder.execute_command("CLUSTER MYID"))
        wait_until(lambda: _info(replica).get("master_link_status") == "up", "the replica follows its master")
        yield cluster


def port_with_bus() -> int:
    """A free port whose bus's is free as well. Both are below those that the system gives to connections, which come and go."""
    ours = loopback.OUR_PORTS
    below = [port for port in ours if port + BUS in ours]
    return next(port for port in random.sample(below, len(below)) if is_free(port) and is_free(port + BUS))


def _started(started: ExitStack, node: Node) -> Node:
    started.callback(node.kill)
    node.start()
    return node


def _info(node: Node) -> dict[str, object]:
    with node.client() as client:
        return dict(client.info("replication"))


def _is_sure(sentinel: Node) -> bool:
    with sentinel.client() as client:
        told = client.sentinel_master(MASTER)
    return int(told["num-other-sentinels"]) == 2 and int(told["num-slaves"]) == 1


def _is_whole(node: Node) -> bool:
    with node.client() as client:
        told = client.execute_command("CLUSTER INFO")
    return told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == 4
