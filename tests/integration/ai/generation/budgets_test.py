"""A job whose model costs more than it may spend fails with a clear problem, and its timeline says when it came near."""

from decimal import Decimal

from tests.integration.ai.generation.writers import Writers, report


def test_a_job_says_how_much_of_its_budget_is_spent_and_ends_with_it(writers: Writers) -> None:
    # Nobody knows what these calls cost, so each counts with the most that it may have.
    writers.simulator.fault(writers.key, "missing_usage", times=None)
    writers.start()
    (job_id,) = writers.system.submit(report(max_cost_usd=Decimal("0.002")))

    assert writers.refusal(job_id) == "ai-budget-used-up"

    reached = writers.recorded(job_id, "ai.budget_reached")
    assert [(one["scope"], one["percent"], one["limit_usd"]) for one in reached][-2:] == [
        ("job", 80, "0.002"),
        ("job", 100, "0.002"),
    ]
    assert len(reached) == len({one["percent"] for one in reached}), "each part once"
    assert len(writers.attempts()) == len(writers.recorded(job_id)) < 5
    (counted,) = writers.system.read("SELECT sum(reserved_usd) FROM ai_service_requests")[0]
    assert Decimal(reached[-1]["spent_usd"]) == counted <= Decimal("0.002")
