"""How soon readers are live again who all come back at once with much behind them, and what that costs PostgreSQL.

Each resumes from another of the first events, and has then had every event up to the last. The peer is one reader who
does the same by itself.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

import httpx
from httpx_sse import EventSource

from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.returning import MARK
from tests.benchmarks.serving import Serving, serve, serve_product
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PRODUCT

READERS, QUICK_READERS = 1_000, 100
BEHIND, QUICK_BEHIND = 20_000, 5_000
IN_A_TRANSACTION = 40
MAX_SECONDS, MAX_TIMES_ONE = 10.0, 50.0
WAIT_SECONDS = 120.0

ALL = "all readers come back at once"
ONE = "one reader comes back"
POSTGRES = "PostgreSQL"

_MAKE = """
INSERT INTO jobs (id, tenant_id, kind, queue, state, max_attempts, command)
SELECT uuidv7(), (SELECT id FROM tenants WHERE is_operator), 'bench.nothing', 'ai', 'queued', 5, '{}' FROM generate_series(1, %d)
"""
_HAPPEN = """
WITH changed AS (
  UPDATE jobs SET seq = seq + 1 WHERE id IN (SELECT id FROM jobs ORDER BY id OFFSET %d LIMIT %d)
  RETURNING id, seq, tenant_id)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, seq, tenant_id, 'job.started', '{"worker": "%s"}' FROM changed
"""


def run(bench: Bench) -> None:
    readers, behind = (QUICK_READERS, QUICK_BEHIND) if bench.quick else (READERS, BEHIND)
    for number in bench.rounds:
        with bench.stage.show(PRODUCT) as show:
            serving = serve_product(show)
            begin = next(_places(serving, ""))
            _happen(show, behind)
            places = list(islice(_places(serving, begin), readers))
            show.running.pop("api").kill()
            for name, subject, several in (("api for one", ONE, places[:1]), ("api for all", ALL, places)):
                # Each time to a process that has read nothing yet.
                serving = serve(show, name, "-m", "api", key=serving.key)
                bench.stage.calm()
                _come_back(bench, show, serving, number, subject, several, behind)
                show.running.pop(name).kill()
    _judge(bench)


def _places(serving: Serving, after: str) -> Iterator[str]:
    """Those that the tenant's stream tells, one after the other."""
    headers = {"authorization": f"Bearer {serving.key}", **({"last-event-id": after} if after else {})}
    with (
        httpx.Client(base_url=serving.url, headers=headers, timeout=WAIT_SECONDS, trust_env=False) as client,
        client.stream("GET", "/api/events") as stream,
    ):
        yield from (said.id for said in EventSource(stream).iter_sse() if said.id)


def _happen(show: Show, events: int) -> None:
    """Many transactions of a few events each, as workers make them, and one event that says that it is the last."""
    jobs = events // 4
    show.execute(_MAKE % jobs)
    for start in range(0, events - 1, IN_A_TRANSACTION):
        some = min(IN_A_TRANSACTION, events - 1 - start)
        show.execute(_HAPPEN % (start % (jobs - IN_A_TRANSACTION), some, uuid4()))
    show.execute(_HAPPEN % (0, 1, MARK.decode().strip('"')))


def _come_back(
    bench: Bench, show: Show, serving: Serving, number: int, subject: str, places: list[str], behind: int
) -> None:
    asked, found = show.folder / f"places {len(places)}", show.folder / f"found {len(places)}"
    asked.write_text("\n".join(places))
    meter = show.meter()
    show.start_program(
        "readers",
        *(sys.executable, "-m", "tests.benchmarks.returning"),
        RETURNING_URL=serving.url,
        RETURNING_KEY=serving.key,
        RETURNING_PLACES=str(asked),
        RETURNING_FOUND=str(found),
    )
    show.await_that(found.exists, lambda: f"{subject}: not all were told everything", within_seconds=WAIT_SECONDS)
    stretch = meter.read()
    show.running.pop("readers").kill()
    had = [line.split() for line in found.read_text().splitlines()]
    events = {int(each) for _, each in had}
    # The first of them is behind all events but one, the last behind as many fewer as there are readers.
    assert events <= set(range(behind - len(places), behind)), f"{subject}: somebody was told {events} events"
    seconds = max(float(took) for took, _ in had)
    detail: dict[str, float | str] = {"readers": len(places), "events": sum(int(each) for _, each in had)}
    bench.book.note(Measured("returning", subject, number, seconds, "s", stretch.cores, detail))
    spent = stretch.cpu_seconds[POSTGRES]
    bench.book.note(Measured("returning", f"{POSTGRES}: {subject}", number, spent, "s of CPU"))


def _judge(bench: Bench) -> None:
    book = bench.book
    for subject, target in ((ALL, MAX_SECONDS), (ONE, None)):
        took = Spread.of(book.values("returning", subject))
        book.judge(Verdict("returning", f"{subject}: all are live", took, unit="s", at_most=target))
    ratio = book.ratio("returning", f"{POSTGRES}: {ALL}", f"{POSTGRES}: {ONE}")
    book.judge(Verdict("returning", f"{POSTGRES}: {ALL} / {ONE}", ratio, at_most=MAX_TIMES_ONE))
