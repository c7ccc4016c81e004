"""Starts a whole system of its own, lets everything go wrong for a while, then lets it come to rest and adds up."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg

from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.local_stack.servers.postgres import PostgresServer, postgres_server
from infrastructure.local_stack.servers.redis import RedisServer, redis_server
from infrastructure.postgres.migration import migrate
from infrastructure.postgres.tenants.api_keys import create_first_admin_key
from infrastructure.settings import load
from tests.chaos.calling import Calling
from tests.chaos.crew import GRACE_SECONDS, ROOT, Crew
from tests.chaos.faults import LEASE_SECONDS, Scene, shuffled
from tests.chaos.ledger import UNFINISHED, Ledger, add_up
from tests.chaos.submitting import Submitting
from tests.silent_proxy import Gap
from tests.waiting import wait_until

CALLS_A_SECOND = 4
MARKS = "CREATE TABLE marks (job_id uuid, attempt int, at timestamptz DEFAULT now())"


@dataclass(frozen=True, slots=True)
class Storm:
    """How long it blows, how much work there is meanwhile, and how long the last of it may take afterwards."""

    seed: int
    seconds: float
    jobs: int
    rest_seconds: float
    calm_seconds: float = 1.0
    """Between two faults."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was left when it was over."""

    storm: Storm
    faults: Counter[str]
    ledger: Ledger
    calls: str
    exit_codes: list[int | None]
    left_behind: list[str]
    logs: str

    def __str__(self) -> str:
        faults = ", ".join(f"{name.replace('_', ' ')} {count}×" for name, count in sorted(self.faults.items()))
        return f"seed {self.storm.seed}: {sum(self.faults.values())} faults ({faults})\n{self.ledger}\n{self.calls}"


def blow(storm: Storm, folder: Path) -> Aftermath:
    """AssertionError when the jobs don't come to rest in time; else what there is to judge."""
    with postgres_server(folder / "postgres") as postgres, redis_server(folder / "redis") as redis:
        key = _prepare(postgres)
        with Gap(redis.url) as gap:
            environment = _environment(postgres.url, gap.url, folder)
            return _blow(storm, folder, environment, key, postgres, redis, gap)


def _blow(
    storm: Storm,
    folder: Path,
    environment: dict[str, str],
    key: str,
    postgres: PostgresServer,
    redis: RedisServer,
    gap: Gap,
) -> Aftermath:
    with _crew(environment, folder) as crew:
        crew.await_ready()
        submitting = Submitting(load(environment), seed=storm.seed, jobs=storm.jobs, seconds=storm.seconds)
        url = f"http://127.0.0.1:{environment['API_PORT']}"
        calling = Calling(url, key, seed=storm.seed, calls=int(storm.seconds * CALLS_A_SECOND), seconds=storm.seconds)
        scene = Scene(crew, postgres, redis, gap, postgres.url, Random(storm.seed))
        faults = _rage(storm, scene)
        _tend_until(crew, submitting.join, calling.join)
        with closing(psycopg.connect(postgres.url, autocommit=True)) as truth:
            _come_to_rest(storm, crew, truth)
            exit_codes = crew.stop()
            ledger = add_up(truth, submitting.accepted | calling.accepted, submitting.uncertain, calling.accepted)
        return Aftermath(storm, faults, ledger, str(calling), exit_codes, crew.left_behind(), crew.logs())


def _tend_until(crew: Crew, *joins: Callable[[], None]) -> None:
    """Who still waits for an answer may need somebody who was killed last."""
    with ThreadPoolExecutor(len(joins)) as waiting:
        joined = [waiting.submit(join) for join in joins]
        while not all(one.done() for one in joined):
            crew.tend()
            time.sleep(0.05)
    for one in joined:
        one.result()


def _rage(storm: Storm, scene: Scene) -> Counter[str]:
    done: Counter[str] = Counter()
    until = time.monotonic() + storm.seconds
    for fault in shuffled(scene.dice):
        calm_until = time.monotonic() + scene.dice.uniform(0.0, 2 * storm.calm_seconds)
        while time.monotonic() < calm_until:
            scene.crew.tend()
            time.sleep(0.05)
        if time.monotonic() > until:
            return done
        print(f"{until - time.monotonic():5.1f} s left: {fault.__name__.replace('_', ' ')}", flush=True)
        fault(scene)
        done[fault.__name__] += 1
    raise AssertionError("there is always another fault")


def _come_to_rest(storm: Storm, crew: Crew, truth: "psycopg.Connection[tuple[object, ...]]") -> None:
    crew.wake_all()

    def at_rest() -> bool:
        crew.tend()
        return truth.execute(UNFINISHED).fetchone() == (0,)

    try:
        wait_until(at_rest, "every accepted job has ended", within_seconds=storm.rest_seconds)
    except AssertionError as error:
        left = truth.execute(
            "SELECT state, kind, count(*) FROM jobs WHERE finished_at IS NULL GROUP BY 1, 2"
        ).fetchall()
        raise AssertionError(f"seed {storm.seed}: {error}; unfinished: {left}") from None


def _prepare(postgres: PostgresServer) -> str:
    """The tables, and a key for the ingress."""
    migrate(postgres.url)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(MARKS)
        connection.execute("GRANT ALL ON marks TO bucatini_system")
    key = create_first_admin_key(postgres.url)
    assert key is not None, "the database is new"
    return key


def _environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BUCATINI_HOME": str(folder / "home"),
        "LOG_FORMAT": "console",
        "METRICS_PORT": "0",
        "API_PORT": str(free_port()),
        "GRACE_SECONDS": str(GRACE_SECONDS),
        "WORKER_CONCURRENCY": "16",
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "HEARTBEAT_SECONDS": "1",
        "SWEEP_SECONDS": "0.5",
        "RING_AGAIN_SECONDS": "1.5",
    }


@contextmanager
def _crew(environment: dict[str, str], folder: Path) -> Iterator[Crew]:
    logs = folder / "logs"
    logs.mkdir()
    with closing(Crew(environment, logs)) as crew:
        yield crew
