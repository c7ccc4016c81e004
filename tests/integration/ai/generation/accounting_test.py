"""The ledger says what the providers' bill says, to the last digit, whatever is killed; and whose key was used."""

import time
from decimal import Decimal
from uuid import UUID

from pydantic import SecretStr

from tests.integration.ai.generation.writers import HEADINGS, Writers, report
from tests.integration.serving import World
from tests.waiting import wait_until

SLOWLY = {"token_seconds": 0.05, "output_tokens": 40}
OWN = SecretStr("sk-test-the-tenants-own-0123456789")
USED_WITHIN_SECONDS = 2.0


def ledger(writers: Writers, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    return writers.system.read(f"SELECT {columns} FROM ai_service_requests WHERE {where} ORDER BY created_at, id")


def known_dollars(writers: Writers) -> Decimal:
    return Decimal(str(writers.system.read("SELECT coalesce(sum(cost_usd), 0) FROM ai_service_requests")[0][0]))


def used_today(writers: Writers) -> Decimal:
    return Decimal(
        str(writers.system.read("SELECT coalesce(sum(amount), 0) FROM tenant_usage WHERE what = 'ai_usd_a_day'")[0][0])
    )


def test_retries_and_failures_are_in_the_ledger_as_they_are_on_the_bill(writers: Writers) -> None:
    for fault in ("server_error", "overload"):
        writers.simulator.fault(writers.key, fault)
    writers.system.dispatcher(**writers.environment())
    writers.start()
    (job_id,) = writers.system.submit(report())
    writers.result(job_id)

    assert known_dollars(writers) == writers.simulator.charged(writers.key) == used_today(writers)
    assert ledger(writers, "outcome", "outcome = 'open' OR NOT priced") == []


def test_a_stream_that_was_cut_costs_no_more_than_was_reserved_and_is_said_to_be_unknown(writers: Writers) -> None:
    writers.simulator.fault(writers.key, "clean_cut")
    writers.system.dispatcher(**writers.environment())
    writers.start()
    (job_id,) = writers.system.submit(report())
    result = writers.result(job_id)

    [(reserved,)] = ledger(writers, "reserved_usd", "NOT priced")
    assert 0 < writers.simulator.charged(writers.key) - known_dollars(writers) <= Decimal(str(reserved))
    assert result["provenance"]["priced"] is False


def test_what_a_killed_worker_had_under_way_is_lost_and_all_else_is_the_bill(writers: Writers) -> None:
    writers.simulator.pace(**SLOWLY)
    writers.system.dispatcher(**writers.environment())
    killed = writers.start()
    (job_id,) = writers.system.submit(report())
    writers.await_sections(job_id, 2)
    wait_until(lambda: ledger(writers, "id", "outcome = 'open'"), "the third section is being written")
    killed.kill()
    writers.start()
    writers.result(job_id)
    lost = wait_until(lambda: ledger(writers, "reserved_usd", "outcome = 'lost'"), "it is ended as lost")

    charged_for_lost = writers.simulator.charged(writers.key) - known_dollars(writers)
    assert len(lost) == 1
    assert 0 <= charged_for_lost <= Decimal(str(lost[0][0]))
    assert len(ledger(writers, "id", "outcome = 'succeeded'")) == len(HEADINGS)
    assert used_today(writers) == known_dollars(writers)


def test_a_tenants_own_key_is_used_within_two_seconds_without_a_restart(writers: Writers) -> None:
    writers.start()
    (first,) = writers.system.submit(report())
    writers.result(first)
    with World(writers.system.settings) as world:
        with world.http(world.another_key(writers.system.tenant_id)) as http:
            http.put("/api/ai/credentials/openai", json={"key": OWN.get_secret_value()}).raise_for_status()
        changed_at = time.monotonic()
        second = _written_after(writers, changed_at)

    keys = {own_key for (own_key,) in ledger(writers, "own_key", f"job_id = '{second}'")}
    assert keys == {True}
    assert len(writers.simulator.ended(OWN)) == len(HEADINGS)
    assert len(writers.attempts()) == len(HEADINGS)


def _written_after(writers: Writers, changed_at: float) -> UUID:
    """A document whose first call began when no process may believe any more what it knew before the change."""
    wait_until(lambda: time.monotonic() > changed_at + USED_WITHIN_SECONDS, "what was known before is forgotten")
    (job_id,) = writers.system.submit(report(title="Status again"))
    writers.result(job_id)
    return job_id
