"""A worker that is killed when a model's answer is paid for, and before what was made of it is kept, costs nothing twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import redis

from schemas.ai import ModelCommand, ProcessDocument
from tests.integration.ai.generation.writers import HEADINGS, Writers, report
from tests.waiting import wait_until

RENT = "The rent is EUR 1,250.00, to be paid on the first of each month.\n\n"
WAITING = """
SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
WHERE l.relation = 'ai_sections'::regclass AND a.datname = current_database()
"""


@contextmanager
def no_checkpoints(writers: Writers) -> Iterator[psycopg.Connection[Any]]:
    """Whoever wants to keep one waits until the block ends, and then it is too late for those that wait."""
    with psycopg.connect(writers.system.settings.database) as connection:
        connection.execute("LOCK TABLE ai_sections IN EXCLUSIVE MODE")
        yield connection
        # Each is a worker's that was killed: what it had sent isn't to be done after all.
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) w")
        connection.commit()


def forget_cached_answers(writers: Writers) -> None:
    """The worker may have been killed before they were in the cache; and caches forget."""
    with redis.Redis.from_url(writers.system.settings.redis) as client:
        for key in client.scan_iter("bucatini:answer:*"):
            client.delete(key)


def killed_before_its_checkpoint(writers: Writers, command: ModelCommand, calls: int) -> dict[str, Any]:
    """The result of a job whose worker was killed when so many of its calls had ended, and no checkpoint was kept of them."""
    writers.system.dispatcher(**writers.environment())
    killed = writers.start()
    with no_checkpoints(writers) as connection:
        (job_id,) = writers.system.submit(command)
        ended = "SELECT count(*) FROM ai_service_requests WHERE job_id = %s AND outcome = 'succeeded'"
        wait_until(lambda: writers.system.read(ended, job_id) == [(calls,)], "the answers are paid for")
        wait_until(lambda: len(connection.execute(WAITING).fetchall()) == calls, "its worker wants to keep them")
        killed.kill()
    assert writers.system.read("SELECT count(*) FROM ai_sections") == [(0,)]
    forget_cached_answers(writers)
    writers.start()
    return writers.result(job_id)


def known_dollars(writers: Writers) -> Decimal:
    return Decimal(str(writers.system.read("SELECT sum(cost_usd) FROM ai_service_requests")[0][0]))


def test_a_section_is_asked_for_once(writers: Writers) -> None:
    result = killed_before_its_checkpoint(writers, report(), calls=1)

    assert [one["heading"] for one in result["sections"]] == HEADINGS
    assert len(writers.attempts()) == len(HEADINGS)
    assert known_dollars(writers) == writers.simulator.charged(writers.key)
    assert writers.system.read("SELECT count(*) FROM ai_service_requests WHERE NOT priced") == [(0,)]


def test_the_parts_of_a_document_that_is_read_are_asked_for_once(writers: Writers) -> None:
    parts = 2
    command = ProcessDocument(title="Lease", text=RENT * (80_000 // len(RENT)), language="en")

    result = killed_before_its_checkpoint(writers, command, calls=parts)

    assert result["provenance"]["calls"] == len(writers.attempts()) == parts
    assert known_dollars(writers) == writers.simulator.charged(writers.key)
