"""Every loop of the dispatcher, a worker and the ingress goes on after a failure, or ends its process with a clear code."""

import re

import httpx
import pytest

from infrastructure.concurrency.supervisor import EXIT_LOOP_FAILED, MAX_FAILURES_IN_A_ROW
from infrastructure.local_stack.supervisor.processes import Running
from tests.system import ROOT, System
from tests.waiting import wait_until

FAILING_ROUNDS = 2
DISPATCHER, WORKER, INGRESS = ("producers.dispatcher",), ("workers.runtime", "webhooks"), ("api",)
EVERY_PROCESS = {"event loop", "health"}
LOOPS = {
    DISPATCHER: EVERY_PROCESS
    | {"sweep", "retention", "webhook feed", "fair scheduling", "overflow channel", "admission", "admission channel"}
    | {"model records"}
    | {"controls", "controls channel"},
    WORKER: EVERY_PROCESS
    | {"heartbeat", "lease check", "time limits", "throughput", "claims 1", "claims 2", "service reports", "watchdog"}
    | {"controls", "controls channel", "cancellations channel", "clock"},
    INGRESS: EVERY_PROCESS
    | {"event reads", "event channel", "live text channels", "key revocation", "rate limits", "connection checks"}
    | {"clock"},
}
URL = re.compile(r"metrics_listening.*?url=(http://[^/\s]+)/metrics")
ROUNDS = re.compile(r'^bucatini_loop_rounds_total{loop="([^"]+)",outcome="([^"]+)"} (\S+)$', re.MULTILINE)

processes = pytest.mark.parametrize("process", [DISPATCHER, WORKER, INGRESS], ids=["dispatcher", "worker", "ingress"])


def _begin(system: System, process: tuple[str, ...], **environment: str) -> Running:
    return system.begin("tests.failing_loops", *process, release=ROOT, API_PORT="0", **environment)


def _url(running: Running) -> str:
    log = re.sub(r"\x1b\[[0-9;]*m", "", running.program.log.read_text())
    found = URL.search(log)
    return "" if found is None else found[1]


def _rounds(running: Running) -> dict[tuple[str, str], float]:
    """How many rounds of each loop ended in each way."""
    if not (url := _url(running)):
        return {}
    text = httpx.get(f"{url}/metrics").text
    return {(loop, outcome): float(count) for loop, outcome, count in ROUNDS.findall(text)}


@processes
def test_every_loop_goes_on_after_rounds_that_failed(system: System, process: tuple[str, ...]) -> None:
    running = _begin(system, process, FAILING_LOOPS="*", FAILING_ROUNDS=f"{FAILING_ROUNDS}")
    loops = LOOPS[process]

    def all_go_on() -> bool:
        rounds = _rounds(running)
        assert running.exit_code is None, running.told("it ended")
        return all(rounds.get((loop, "succeeded"), 0) > 0 for loop in loops)

    try:
        wait_until(all_go_on, "a round of every loop succeeded")
    except AssertionError as error:
        raise AssertionError(running.told(f"{error}: {_rounds(running)}")) from None
    rounds = _rounds(running)
    assert {loop for loop, _ in rounds} == loops
    assert {loop: rounds[loop, "failed"] for loop in loops} == dict.fromkeys(loops, FAILING_ROUNDS)
    assert running.said("loop.failed")


@pytest.mark.parametrize(
    ("process", "loop"),
    [(DISPATCHER, "retention"), (WORKER, "claims 1"), (WORKER, "heartbeat"), (INGRESS, "event channel")],
)
def test_a_loop_that_keeps_failing_ends_its_process_with_a_code_and_its_name(
    system: System, process: tuple[str, ...], loop: str
) -> None:
    running = _begin(system, process, FAILING_LOOPS=loop, FAILING_ROUNDS="1000", GRACE_SECONDS="1")

    wait_until(lambda: running.exit_code is not None, "the process ends")

    assert running.exit_code == EXIT_LOOP_FAILED, running.told("it ended otherwise")
    log = re.sub(r"\x1b\[[0-9;]*m", "", running.program.log.read_text())
    assert re.search(rf"loop\.gave_up.*in_a_row={MAX_FAILURES_IN_A_ROW} loop='?{loop}\b", log)


@pytest.mark.parametrize(
    ("process", "loop"), [(DISPATCHER, "sweep"), (WORKER, "claims 2"), (INGRESS, "key revocation")]
)
def test_a_loop_that_hangs_is_named_by_the_liveness_check(system: System, process: tuple[str, ...], loop: str) -> None:
    running = _begin(system, process, HANGING_LOOP=loop)

    def reported() -> str:
        if not (url := _url(running)):
            return ""
        answer = httpx.get(f"{url}/healthz")
        return answer.text if answer.status_code == 503 and "stalled" in answer.text else ""

    assert f"the loop '{loop}' has stalled" in wait_until(reported, "/healthz reports it")
