"""How soon a state change reaches those who follow it by SSE: one ingress process, a thousand readers in another.

Timed from before the commit that changes the state to the arrival of the bytes at the reader. The peer is a message
published to one subscriber of raw Redis: no commit, no HTTP. What the same Redis takes for the same readers is told beside
it: a thousand sends are most of either time.
"""

import statistics
import sys
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.happenings import Happenings, paced
from tests.benchmarks.meter import resident_bytes
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.serving import serve_product
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PRODUCT
from tests.waiting import wait_until

READERS = 1_000
MAX_MILLISECONDS, MAX_TIMES_RAW, MAX_SINGLE_MILLISECONDS = 50.0, 10.0, 5.0
TO_ALL, QUICK_TO_ALL, TO_ALL_RATE = 100, 20, 4.0
TO_ONE, QUICK_TO_ONE, TO_ONE_RATE = 2_000, 300, 100.0
OPEN_SECONDS = 60.0
HEAR_SECONDS = 30.0
PERCENTILES = (50, 95, 99)
KILOBYTE = 1_024

EVERYONE = f"one event to {READERS:,} readers of a stream"
ALONE = "one event to one reader of a stream"
EACH_ITS_OWN = f"one event to one of {READERS:,} readers, each of its own job"
RAW = "raw Redis pub/sub"
RAW_TO_ALL = f"{RAW}, {READERS:,} subscribers"
MEMORY = "memory of a connection"


def run(bench: Bench) -> None:
    for number in bench.rounds:
        to_all = QUICK_TO_ALL if bench.quick else TO_ALL
        to_one = QUICK_TO_ONE if bench.quick else TO_ONE
        _raw(bench, number, to_one)
        _raw_to_all(bench, number, to_all)
        _followed(bench, number, EVERYONE, readers=READERS, own_job=False, events=to_all, rate=TO_ALL_RATE)
        _followed(bench, number, EACH_ITS_OWN, readers=READERS, own_job=True, events=to_one, rate=TO_ONE_RATE)
        _followed(bench, number, ALONE, readers=1, own_job=False, events=to_one, rate=TO_ONE_RATE)
    _judge(bench)


def _followed(
    bench: Bench, number: int, subject: str, *, readers: int, own_job: bool, events: int, rate: float
) -> None:
    with bench.stage.show(PRODUCT) as show:
        serving = serve_product(show)
        with (
            closing(bench.stage.redis()) as client,
            Happenings(show.database_url, client, readers if own_job else 1) as happenings,
        ):
            paths = [f"/api/jobs/{job_id}/events" if own_job else "/api/events" for job_id in happenings.jobs]
            heard_by = 1 if own_job else readers
            before = resident_bytes(serving.running.pid)
            seats = paths if own_job else paths * readers
            found = _seat(show, serving.url, serving.key, seats, events * heard_by, happenings.warm_up)
            each = (resident_bytes(serving.running.pid) - before) / readers
            bench.stage.calm()
            meter = show.meter()
            happenings.happen(events, rate, of=happenings.jobs, seed=number)
            show.await_that(found.exists, lambda: f"{subject}: not all were heard", within_seconds=HEAR_SECONDS)
            cores = meter.read().cores
        _note(bench, subject, number, array("d", found.read_bytes()), cores)
        if readers > 1:
            bench.book.note(Measured("events", f"{MEMORY}: {subject}", number, each / KILOBYTE, "KiB"))


def _seat(show: Show, url: str, key: str, paths: list[str], events: int, warm_up: Callable[[], object]) -> Path:
    """Opens the streams, and returns where the waits will stand once that many events were heard."""
    asked, found = show.folder / "paths", show.folder / "waits"
    asked.write_text("\n".join(paths))
    listeners = show.start_program(
        "listeners",
        *(sys.executable, "-m", "tests.benchmarks.listeners", str(events)),
        LISTENERS_URL=url,
        LISTENERS_KEY=key,
        LISTENERS_PATHS=str(asked),
        LISTENERS_FOUND=str(found),
    )
    listeners.await_ready(lambda: listeners.said("all are open"), within_seconds=OPEN_SECONDS)

    def all_hear() -> bool:
        warm_up()
        return listeners.said("all hear")

    listeners.await_ready(all_hear, within_seconds=OPEN_SECONDS)
    return found


def _raw(bench: Bench, number: int, messages: int) -> None:
    waits = array("d")
    with closing(bench.stage.redis()) as speaker, closing(bench.stage.redis()) as hearer:
        pubsub = hearer.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        pubsub.subscribe("raw")
        # The client library answers the subscription by nothing; what follows it are messages.
        wait_until(lambda: pubsub.subscribed and pubsub.get_message(timeout=1) is None, "the subscription stands")

        def hear() -> None:
            while len(waits) < messages:
                message = pubsub.get_message(timeout=1)
                if message is not None:
                    waits.append(time.monotonic() - float(message["data"]))

        hearing = threading.Thread(target=hear, name="hears", daemon=True)
        hearing.start()
        for _ in paced(messages, TO_ONE_RATE, number):
            speaker.publish("raw", repr(time.monotonic()))
        hearing.join(HEAR_SECONDS)
    _note(bench, RAW, number, waits, {})


def _raw_to_all(bench: Bench, number: int, messages: int) -> None:
    with bench.stage.show(PRODUCT) as show, closing(bench.stage.redis()) as speaker:

        def say(at: float) -> None:
            speaker.publish("raw", f'data: {{"happened": {at!r}}}\n\n')

        found = _seat(show, bench.stage.redis_url, "", ["raw"] * READERS, messages * READERS, lambda: say(0.0))
        bench.stage.calm()
        meter = show.meter()
        for _ in paced(messages, TO_ALL_RATE, number):
            say(time.time())
        show.await_that(found.exists, lambda: f"{RAW_TO_ALL}: not all were heard", within_seconds=HEAR_SECONDS)
        _note(bench, RAW_TO_ALL, number, array("d", found.read_bytes()), meter.read().cores)


def _note(bench: Bench, subject: str, number: int, waits: "array[float]", cores: dict[str, float]) -> None:
    hundredths = statistics.quantiles(waits, n=100, method="inclusive")
    for percentile in PERCENTILES:
        milliseconds = hundredths[percentile - 1] * 1_000
        detail: dict[str, float | str] = {"events": len(waits)}
        bench.book.note(Measured("events", f"{subject}, p{percentile}", number, milliseconds, "ms", cores, detail))


def _judge(bench: Bench) -> None:
    book = bench.book

    def spread(subject: str) -> Spread:
        return Spread.of(book.values("events", subject))

    everyone = f"{EVERYONE}, p95"
    book.judge(Verdict("events", everyone, spread(everyone), unit="ms", at_most=MAX_MILLISECONDS))
    for subject, peer, target in ((EVERYONE, RAW, MAX_TIMES_RAW), (EVERYONE, RAW_TO_ALL, None), (ALONE, RAW, None)):
        ratio = book.ratio("events", f"{subject}, p95", f"{peer}, p95")
        book.judge(Verdict("events", f"{subject} / {peer}, p95", ratio, at_most=target))
    single = f"{EACH_ITS_OWN}, p99"
    book.judge(Verdict("events", single, spread(single), unit="ms", at_most=MAX_SINGLE_MILLISECONDS))
    for subject in (ALONE, RAW, RAW_TO_ALL):
        book.judge(Verdict("events", f"{subject}, p95", spread(f"{subject}, p95"), unit="ms"))
    for subject in (EVERYONE, EACH_ITS_OWN):
        book.judge(Verdict("events", f"{MEMORY}: {subject}", spread(f"{MEMORY}: {subject}"), unit="KiB"))
