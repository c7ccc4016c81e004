"""What a system costs that has nothing to do: transactions and Redis commands a second, of each process by itself.

Each process is started alone on its own database, and then all of them together, which holds them to account: what they
only do in company would show in the sum.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

import psycopg

from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.stage import READY_SECONDS, Show, Stage
from tests.benchmarks.systems import PRODUCT
from tests.benchmarks.waiting import pass_time

MAX_TRANSACTIONS, MAX_COMMANDS = 10.0, 20.0
SETTLE_SECONDS = 5.0
"""A start asks more than what follows."""
SECONDS, QUICK_SECONDS = 20.0, 10.0
SHOWN_COMMANDS = 4

ROLES: dict[str, tuple[str, ...]] = {
    "api": (sys.executable, "-m", "api"),
    "dispatcher": PRODUCT.beside,
    "worker": (*PRODUCT.program, "work", "1"),
}
TOGETHER = "all three"
TRANSACTIONS, COMMANDS = "PostgreSQL transactions", "Redis commands"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the servers had been asked, at one moment."""

    at: float
    transactions: int
    commands: dict[str, int]

    @classmethod
    def now(cls, stage: Stage, database: str) -> "Traffic":
        # Asked from another database, so that the question isn't counted.
        with psycopg.connect(stage.postgres_url, autocommit=True) as connection:
            statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
            row = connection.execute(statement, (database,)).fetchone()
        with stage.redis() as client:
            commands = {
                name.removeprefix("cmdstat_"): stats["calls"] for name, stats in client.info("commandstats").items()
            }
        # Ours: reading these very figures.
        for asked in ("info", "client|setinfo", "client", "hello"):
            commands.pop(asked, None)
        return cls(time.monotonic(), 0 if row is None else row[0], commands)

    def since(self, before: "Traffic") -> tuple[float, dict[str, float]]:
        """Transactions a second, and of each Redis command how many."""
        seconds = self.at - before.at
        commands = {name: (calls - before.commands.get(name, 0)) / seconds for name, calls in self.commands.items()}
        return (self.transactions - before.transactions) / seconds, {
            name: rate for name, rate in commands.items() if rate
        }


def run(bench: Bench) -> None:
    for number in bench.rounds:
        for name in (*ROLES, TOGETHER):
            with bench.stage.show(PRODUCT) as show:
                _look(bench, show, name, number, tuple(ROLES) if name == TOGETHER else (name,))
    for name in ROLES:
        for asked, most in ((TRANSACTIONS, MAX_TRANSACTIONS), (COMMANDS, MAX_COMMANDS)):
            _judge(bench, f"{name}, {asked}", most)
    for asked in (TRANSACTIONS, COMMANDS):
        _judge(bench, f"{TOGETHER}, {asked}", None)


def _judge(bench: Bench, subject: str, most: float | None) -> None:
    rate = Spread.of(bench.book.values("idle", subject))
    bench.book.judge(Verdict("idle", subject, rate, unit="/s", at_most=most))


def _look(bench: Bench, show: Show, name: str, number: int, roles: tuple[str, ...]) -> None:
    for role in roles:
        running = show.start_program(role, *ROLES[role], API_PORT="0")
        running.await_ready(_says(running.said, "ready: "), within_seconds=READY_SECONDS)
    pass_time(SETTLE_SECONDS)
    database = str(show.ask("SELECT current_database()"))
    before, meter = Traffic.now(bench.stage, database), show.meter()
    pass_time(QUICK_SECONDS if bench.quick else SECONDS)
    transactions, commands = Traffic.now(bench.stage, database).since(before)
    connections = show.ask(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    note = bench.book.note
    detail: dict[str, float | str] = {"connections": int(str(connections))}
    note(Measured("idle", f"{name}, {TRANSACTIONS}", number, transactions, "/s", meter.read().cores, detail))
    most = sorted(commands.items(), key=itemgetter(1), reverse=True)[:SHOWN_COMMANDS]
    note(Measured("idle", f"{name}, {COMMANDS}", number, sum(commands.values()), "/s", detail=dict(most)))


def _says(said: Callable[[str], bool], words: str) -> Callable[[], bool]:
    return lambda: said(words)
