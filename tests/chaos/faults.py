"""What goes wrong: each fault is done to a running system, and undone by it or by the time it takes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import psutil
import psycopg
import redis

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.local_stack.servers.redis import MEMORY_BYTES, RedisServer
from tests.chaos.crew import Crew
from tests.silent_proxy import Gap

LEASE_SECONDS = 3.0
OUTAGE_SECONDS = (0.5, 3.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults are done to."""

    crew: Crew
    postgres: PostgresServer
    redis: RedisServer
    gap: Gap
    """Through it everybody reaches Redis."""
    database_url: str
    dice: Random

    def some_seconds(self) -> float:
        return self.dice.uniform(*OUTAGE_SECONDS)


Fault = Callable[[Scene], None]


def kill_a_worker(scene: Scene) -> None:
    scene.crew.kill(scene.crew.any_worker(scene.dice))


def kill_a_worker_s_child(scene: Scene) -> None:
    children = [child for member in scene.crew.members if member.is_worker for child in scene.crew.children_of(member)]
    for child in children[:1]:
        with _unless_gone():
            child.kill()


def freeze_a_worker_past_its_lease(scene: Scene) -> None:
    scene.crew.freeze(scene.crew.any_worker(scene.dice), LEASE_SECONDS + 2.0)


def freeze_a_worker_for_a_moment(scene: Scene) -> None:
    scene.crew.freeze(scene.crew.any_worker(scene.dice), 1.0)


def drain_a_worker(scene: Scene) -> None:
    scene.crew.drain(scene.crew.any_worker(scene.dice))


def kill_a_dispatcher(scene: Scene) -> None:
    scene.crew.kill(scene.crew.any_dispatcher(scene.dice))


def kill_all_dispatchers(scene: Scene) -> None:
    for dispatcher in scene.crew.dispatchers:
        scene.crew.kill(dispatcher)


def kill_the_ingress(scene: Scene) -> None:
    scene.crew.kill(scene.crew.ingress)


def lose_redis_silently(scene: Scene) -> None:
    scene.gap.swallow()
    _pause(scene)
    scene.gap.pass_on()


def lose_redis_and_all_in_it(scene: Scene) -> None:
    scene.redis.kill()
    scene.redis.empty()
    _pause(scene)
    scene.redis.start()


def restart_redis(scene: Scene) -> None:
    scene.redis.kill()
    scene.redis.start()


def freeze_redis(scene: Scene) -> None:
    assert scene.redis.pid is not None
    os.kill(scene.redis.pid, signal.SIGSTOP)
    _pause(scene)
    os.kill(scene.redis.pid, signal.SIGCONT)


def fill_redis(scene: Scene) -> None:
    with redis.Redis.from_url(scene.redis.url) as client:
        client.config_set("maxmemory", 1)
        _pause(scene)
        client.config_set("maxmemory", MEMORY_BYTES)


def cut_all_connections_to_redis(scene: Scene) -> None:
    with redis.Redis.from_url(scene.redis.url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def restart_postgresql(scene: Scene) -> None:
    scene.postgres.kill()
    scene.postgres.start()


def cut_all_connections_to_postgresql(scene: Scene) -> None:
    _at_the_database(
        scene,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()",
    )


FAULTS: tuple[Fault, ...] = (
    kill_a_worker,
    kill_a_worker,
    kill_a_worker_s_child,
    freeze_a_worker_past_its_lease,
    freeze_a_worker_for_a_moment,
    drain_a_worker,
    kill_a_dispatcher,
    kill_all_dispatchers,
    kill_the_ingress,
    kill_the_ingress,
    lose_redis_silently,
    lose_redis_and_all_in_it,
    restart_redis,
    freeze_redis,
    fill_redis,
    cut_all_connections_to_redis,
    restart_postgresql,
    cut_all_connections_to_postgresql,
)


def shuffled(dice: Random) -> Iterator[Fault]:
    """Every fault once in some order, then all of them again, without end."""
    while True:
        yield from dice.sample(FAULTS, len(FAULTS))


def _pause(scene: Scene) -> None:
    """An outage lasts; the crew is tended meanwhile."""
    until = time.monotonic() + scene.some_seconds()
    while time.monotonic() < until:
        scene.crew.tend()
        time.sleep(0.05)


def _at_the_database(scene: Scene, statement: str) -> None:
    with psycopg.connect(scene.database_url, autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return
