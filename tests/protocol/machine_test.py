"""The real statements do what the model says they do, in whatever order they come; and a broken one is noticed."""

from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from infrastructure.postgres.jobs import cancellation, claim, settlement, sweep
from infrastructure.postgres.prepared import Prepared
from tests.protocol.database import Database
from tests.protocol.machine import ProtocolMachine

BRIEFLY = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UNTIL_NOTICED = settings(BRIEFLY, max_examples=500, derandomize=True, phases=[Phase.generate])


def test_the_statements_keep_to_the_model_in_any_order(database_url: str) -> None:
    _run(database_url, BRIEFLY)


@pytest.mark.parametrize(
    ("module", "name", "part", "without"),
    [
        (settlement, "_SUCCEED", "AND j.lease_token = d.token", ""),
        (settlement, "_END", "AND j.lease_token = d.token", ""),
        (settlement, "_END", "attempt = j.attempt - d.uncounted,", ""),
        (claim, "_CLAIM", "AND w.dead_at IS NULL", ""),
        (claim, "_CLAIM", "AND j.run_at <= now()", ""),
        (cancellation, "_CANCEL", "lease_token = NULL, lease_worker = NULL", "progress = NULL"),
        (sweep, "_REAP", "lease_token = NULL, lease_worker = NULL, seq", "lease_token = NULL, seq"),
        (sweep, "_REAP", "WHERE w.dead_at IS NOT NULL", ""),
        (sweep, "_REAP", ", seq = j.seq + 1", ", seq = j.seq"),
        (sweep, "_COME_DUE", "wake_at <= now() AND ", ""),
    ],
)
def test_a_statement_that_forgets_a_part_of_it_is_noticed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, part: str, without: str
) -> None:
    monkeypatch.setattr(module, name, _broken(getattr(module, name), part, without))

    with pytest.raises(Exception):  # noqa: B017, PT011  # it is noticed by an assertion, an illegal step or PostgreSQL
        _run(database_url, UNTIL_NOTICED)


def _broken(statement: str | Prepared, part: str, without: str) -> str | Prepared:
    if isinstance(statement, Prepared):
        return Prepared(statement.name, str(_broken(statement.statement, part, without)))
    assert part in statement, "the statement has changed, and this test must change with it"
    return statement.replace(part, without)


def _run(database_url: str, how: settings) -> None:
    with Database(database_url) as database:

        class OnThisDatabase(ProtocolMachine):
            def __init__(self) -> None:
                super().__init__(database)

        machine: type[RuleBasedStateMachine] = OnThisDatabase
        run_state_machine_as_test(machine, settings=how)
