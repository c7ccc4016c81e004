"""How many short text documents a second come in by one batch, beside a bare insert of the same bytes.

The product answers once the documents, their versions, jobs and first events are committed, the texts sealed; then a worker
of the pool `search` imports and indexes them. The bare side is one transaction with a row for each text, and nothing else.
"""

import sys
import time

import psycopg
from uuid_utils.compat import uuid7

from producers.client import Bucatini
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Measured, Spread, Verdict
from tests.benchmarks.serving import serve_product
from tests.benchmarks.stage import READY_SECONDS, Show
from tests.benchmarks.systems import PRODUCT

SCENARIO = "imports"
DOCUMENTS, QUICK_DOCUMENTS = 1_000, 200
SENTENCE = (
    "The tenant pays the rent of EUR 1,250.00 on the first of each month, and the landlord keeps the roof in repair. "
)
END_SECONDS = 300.0
TABLE = "CREATE TABLE kept_texts (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), body bytea NOT NULL)"
INSERT = "INSERT INTO kept_texts (id, body) SELECT * FROM unnest(%s::uuid[], %s::bytea[])"

ACCEPTED, IMPORTED, BARE = "accepted in one batch", "imported and indexed", "a bare insert of the same bytes"


def run(bench: Bench) -> None:
    count = QUICK_DOCUMENTS if bench.quick else DOCUMENTS
    for number in bench.rounds:
        texts = [f"Lease {number}/{one}. {SENTENCE * 8}" for one in range(count)]
        with bench.stage.show(PRODUCT) as show:
            bench.stage.calm()
            _product(bench, show, texts, number)
            _bare(bench, show, texts, number)
    for subject in (ACCEPTED, IMPORTED):
        ratio = bench.book.ratio(SCENARIO, subject, BARE)
        bench.book.judge(Verdict(SCENARIO, f"{subject} / {BARE}", ratio))
    for subject in (ACCEPTED, IMPORTED, BARE):
        rate = Spread.of(bench.book.values(SCENARIO, subject))
        bench.book.judge(Verdict(SCENARIO, subject, rate, unit="documents/s"))


def _product(bench: Bench, show: Show, texts: list[str], number: int) -> None:
    serving = serve_product(show)
    _start(show, "dispatcher", "producers.dispatcher")
    _start(show, "search", "workers.runtime", "search")
    with Bucatini(serving.url, serving.key) as client:
        client.documents.add("The first document is slower: it makes the index.").imported(READY_SECONDS)
        meter, began_at = show.meter(), time.monotonic()
        batch = client.documents.add_all(texts)
        accepted_seconds = time.monotonic() - began_at
        batch.wait(END_SECONDS)
        show.await_that(
            lambda: not show.ask("SELECT 1 FROM jobs WHERE finished_at IS NULL LIMIT 1"),
            lambda: "documents are still being indexed",
            within_seconds=END_SECONDS,
        )
        imported_seconds = time.monotonic() - began_at
    cores = meter.read().cores
    unit = "documents/s"
    bench.book.note(Measured(SCENARIO, ACCEPTED, number, len(texts) / accepted_seconds, unit))
    bench.book.note(Measured(SCENARIO, IMPORTED, number, len(texts) / imported_seconds, unit, cores))


def _start(show: Show, name: str, *module: str) -> None:
    running = show.start_program(name, sys.executable, "-m", *module)
    running.await_ready(lambda: running.said("ready: "), within_seconds=READY_SECONDS)


def _bare(bench: Bench, show: Show, texts: list[str], number: int) -> None:
    show.execute(TABLE)
    with psycopg.connect(show.database_url) as connection:
        rows = [uuid7() for _ in texts], [text.encode() for text in texts]
        began_at = time.monotonic()
        connection.execute(INSERT, rows)
        connection.commit()
        seconds = time.monotonic() - began_at
    bench.book.note(Measured(SCENARIO, BARE, number, len(texts) / seconds, "documents/s"))
