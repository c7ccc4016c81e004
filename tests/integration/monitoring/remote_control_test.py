"""What an operator tells a running worker through Celery's own commands, or by Flower's buttons."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import redis

from infrastructure.celery.app import celery_app
from infrastructure.local_stack.supervisor.processes import Running
from infrastructure.redis.pubsub import Channel
from tests.forked import Ended, run
from tests.probe import LeaveMark, Nothing
from tests.system import ROOT, System
from tests.waiting import wait_until

ANSWER_SECONDS = 20.0
"""The one that is asked answers for itself: nobody waits longer than that takes."""
CANARY = "cANARY77aBcDeFgH"
LISTENING = re.compile(r'"url":"(http://[^"/]+)')
UNHEARD_SECONDS = 60.0
"""Within so long a worker has noticed that nobody listens to its task events."""


class Control:
    """Celery's remote control of one worker."""

    def __init__(self, system: System, **environment: str) -> None:
        self.system = system
        self.process = system.worker("ai", **environment)
        self.app = celery_app(system.settings)
        self.name = wait_until(self._name, "the worker answers a ping")

    def ask(self, question: str) -> Any:
        answers = getattr(self.app.control.inspect([self.name], timeout=ANSWER_SECONDS), question)()
        return (answers or {}).get(self.name)

    def tell(self, command: str, *arguments: Any, **named: Any) -> Any:
        tell = getattr(self.app.control, command)
        return tell(*arguments, destination=[self.name], reply=True, timeout=ANSWER_SECONDS, **named)

    def bell_of(self, job_id: UUID) -> str:
        """The Celery task that brought this job here."""

        def found() -> str:
            bells = self.ask("active") or []
            return next((str(bell["id"]) for bell in bells if job_id.hex in json.dumps(bell["args"])), "")

        return wait_until(found, f"the worker tells of the bell with job {job_id}")

    def _name(self) -> str:
        answers = self.app.control.ping(timeout=0.5)
        return str(next(iter(answers[0]))) if answers else ""


@pytest.fixture
def control(system: System) -> Iterator[Control]:
    found = Control(system, WORKER_CONCURRENCY="2", GRACE_SECONDS="10")
    yield found
    found.app.close()


def test_a_worker_tells_what_it_is_and_has_and_nothing_of_what_is_in_it(system: System, control: Control) -> None:
    (job_id,) = system.submit(LeaveMark(seconds=30))
    bell = control.bell_of(job_id)

    assert control.ask("ping") == {"ok": "pong"}
    assert "probe.leave_mark" in control.ask("registered")
    assert [queue["name"] for queue in control.ask("active_queues")] == ["ai"]
    stats = control.ask("stats")
    assert stats["pool"]["max-concurrency"] == 2
    assert stats["pool"]["bells"] == 1
    assert control.ask("reserved") == []
    assert control.ask("revoked") == []
    (active,) = control.ask("active")
    assert (active["id"], active["name"]) == (bell, "probe.leave_mark")
    password = system.environment["REDIS_URL"].removeprefix("redis://:").partition("@")[0]
    assert password not in json.dumps([stats, control.ask("conf"), control.ask("report")])


def test_celerys_own_command_line_reaches_it(system: System, control: Control) -> None:
    told = _celery(system, "inspect", "ping", "--json", "--timeout", "2")

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {control.name: {"ok": "pong"}}


@pytest.mark.parametrize(
    "refused",
    [
        ("control", "autoscale", "4", "1"),
        ("control", "pool_restart"),
        ("control", "time_limit", "probe.nothing", "30", "60"),
    ],
    ids=lambda words: words[1],
)
def test_what_a_worker_refuses_is_no_success_on_the_command_line(
    refused: tuple[str, ...], system: System, control: Control
) -> None:
    told = _celery(system, *refused)

    assert told.returncode == 1, told.stdout
    assert f"refused by {control.name}" in told.stderr
    assert control.ask("ping") == {"ok": "pong"}


@pytest.mark.parametrize("kind", ["no.such_kind", "ai.process_document"])
def test_a_task_cannot_be_called_and_the_message_says_what_can(kind: str, system: System) -> None:
    told = _celery(system, "call", kind)

    assert told.returncode == 2
    assert told.stderr.startswith(f"'{kind}' can't be called: Celery's tasks are doorbells, not jobs.")
    assert "Traceback" not in told.stderr
    with redis.Redis.from_url(system.environment["REDIS_URL"]) as client:
        assert client.keys("*") == []


def test_terminating_a_bell_cancels_those_of_its_jobs_that_the_worker_has(system: System, control: Control) -> None:
    jobs = system.submit(*[LeaveMark(seconds=60) for _ in range(8)])
    wait_until(lambda: system.states()["running"] == 2, "two run, and the rest is left to other workers")

    control.tell("revoke", control.bell_of(jobs[0]), terminate=True)

    for job_id in jobs[:2]:
        system.await_state(job_id, "cancelled")
        assert system.timeline(job_id) == ["job.queued", "job.started", "job.cancelled"]
    wait_until(lambda: system.states() == {"cancelled": 2, "running": 2, "queued": 4}, "two others run")
    assert system.read("SELECT count(*) FROM marks") == [(0,)]


def test_revoking_a_bell_that_has_not_come_drops_the_bell_and_never_the_jobs(system: System, control: Control) -> None:
    control.tell("cancel_consumer", "ai")
    (job_id,) = system.submit(LeaveMark())
    with redis.Redis.from_url(system.environment["REDIS_URL"]) as client:
        (bell,) = wait_until(lambda: client.lrange("ai", 0, -1), "the bell is in its list")
        bell_id = json.loads(bell)["headers"]["id"]
        assert job_id.hex in base64.b64decode(json.loads(bell)["body"]).decode()
        control.tell("revoke", bell_id)
        control.tell("add_consumer", "ai")
        wait_until(lambda: client.llen("ai") == 0, "the worker has taken the bell")
    assert bell_id in (control.ask("revoked") or [])

    system.dispatcher(RING_AGAIN_SECONDS="1", RING_ALL_AGAIN_SECONDS="2")

    system.await_state(job_id, "succeeded")
    assert system.marks(job_id) == [1]


def test_a_worker_grows_and_shrinks_while_it_works(system: System, control: Control) -> None:
    system.dispatcher()  # Of so many slow jobs most are rung for by turns.
    jobs = system.submit(*[LeaveMark(seconds=2) for _ in range(14)])
    wait_until(lambda: system.states()["running"] == 2, "two run at a time")

    control.tell("pool_grow", 4)
    wait_until(lambda: system.states()["running"] == 6, "six run at a time")
    assert control.ask("stats")["pool"]["max-concurrency"] == 6
    control.tell("pool_shrink", 5)
    wait_until(lambda: system.states()["running"] == 1, "one runs at a time")
    control.tell("pool_grow", 9)

    assert system.await_all_finished(len(jobs)) == {"succeeded": 14}
    assert system.most_at_once() <= 10
    assert system.read("SELECT count(*), count(DISTINCT job_id) FROM marks") == [(14, 14)]


def test_a_paused_worker_takes_nothing_and_then_everything_once(system: System, control: Control) -> None:
    system.submit(*[LeaveMark(seconds=0.2) for _ in range(10)])
    control.tell("cancel_consumer", "ai")
    wait_until(lambda: system.states()["running"] == 0 and control.ask("active") == [], "what it had is done")
    assert control.ask("active_queues") == []
    before = system.states()["succeeded"]
    late = system.submit(*[LeaveMark() for _ in range(20)])
    assert control.ask("ping") == {"ok": "pong"}
    assert system.states() == {key: count for key, count in (("succeeded", before), ("queued", 30 - before)) if count}

    control.tell("add_consumer", "ai")
    wait_until(lambda: control.ask("active_queues"), "it consumes again")
    system.dispatcher(RING_AGAIN_SECONDS="1")

    assert system.await_all_finished(30) == {"succeeded": 30}
    assert all(system.marks(job_id) == [1] for job_id in late)
    assert system.read("SELECT count(*), count(DISTINCT job_id) FROM marks") == [(30, 30)]


def test_a_shutdown_drains(system: System, control: Control) -> None:
    running = system.submit(*[LeaveMark(seconds=5) for _ in range(2)])
    wait_until(lambda: system.states()["running"] == 2, "both run")
    waiting = system.submit(*[LeaveMark(seconds=2) for _ in range(2)])

    control.app.control.shutdown(destination=[control.name])

    wait_until(lambda: control.process.exit_code is not None, "the worker has ended")
    assert control.process.exit_code == 0
    assert [system.state(job_id) for job_id in running] == ["succeeded"] * 2
    assert [system.state(job_id) for job_id in waiting] == ["queued"] * 2
    system.worker()
    assert system.await_all_finished(4) == {"succeeded": 4}


def test_whatever_else_it_is_told_it_goes_on(system: System, control: Control) -> None:
    told = [
        control.tell("time_limit", "probe.nothing", 60, 30),
        control.tell("rate_limit", "probe.nothing", "100/s"),
        control.tell("autoscale", 4, 1),
        control.tell("pool_restart"),
        control.tell("revoke", "no-such-bell"),
    ]
    assert all(told), "it answers, be it that it won't"

    system.submit(*[Nothing() for _ in range(5)])
    assert system.await_all_finished(5) == {"succeeded": 5}
    assert control.process.exit_code is None


def test_flowers_buttons_do_the_same(system: System, control: Control) -> None:
    flower = _flower(system)
    with httpx.Client(base_url=_url(flower), auth=("ops", CANARY), timeout=10) as http:
        worker = f"worker/{{}}/{control.name}"

        def press(path: str, **parameters: str) -> None:
            def pressed() -> bool:
                return http.post(f"/api/{path}", params=parameters).status_code == 200

            wait_until(pressed, f"Flower takes {path}")

        wait_until(lambda: control.name in http.get("/api/workers", params={"refresh": "true"}).text, "Flower knows it")
        press(worker.format("pool/grow"), n="3")
        wait_until(lambda: control.ask("stats")["pool"]["max-concurrency"] == 5, "the worker has grown")
        press(worker.format("pool/shrink"), n="4")
        wait_until(lambda: control.ask("stats")["pool"]["max-concurrency"] == 1, "the worker has shrunk")
        press(worker.format("queue/cancel-consumer"), queue="ai")
        wait_until(lambda: control.ask("active_queues") == [], "the worker is paused")
        press(worker.format("queue/add-consumer"), queue="ai")
        wait_until(lambda: control.ask("active_queues"), "the worker goes on")
        (job_id,) = system.submit(LeaveMark(seconds=60))
        press(f"task/revoke/{control.bell_of(job_id)}", terminate="true")
        system.await_state(job_id, "cancelled")
        press(worker.format("shutdown"))
    wait_until(lambda: control.process.exit_code is not None, "the worker has ended")
    assert control.process.exit_code == 0


def test_task_events_end_when_nobody_listens_and_begin_again_for_the_next_dashboard(
    system: System, control: Control
) -> None:
    assert not _tells_of_tasks(system)
    flower = _flower(system)
    wait_until(lambda: _tells_of_tasks(system), "the worker tells Flower of its tasks")

    flower.kill()

    wait_until(
        lambda: control.process.said("no subscriber is left"), "the worker stops", within_seconds=UNHEARD_SECONDS
    )
    assert not _tells_of_tasks(system)
    _flower(system)
    wait_until(lambda: _tells_of_tasks(system), "the worker tells the next Flower")


def _celery(system: System, *arguments: str) -> Ended:
    return run("producers.cli", "celery", *arguments, environment=system.environment, folder=ROOT)


def _tells_of_tasks(system: System) -> bool:
    """Whether a job's run is told as a task event. Whoever watches the wire isn't counted as a listener."""
    with redis.Redis.from_url(system.environment["REDIS_URL"]) as client, client.monitor() as wire:
        (job_id,) = system.submit(Nothing())
        system.await_state(job_id, "succeeded")
        client.publish(Channel.RULES, b"that was all")
        for command in wire.listen():
            if "celeryev/task" in command["command"]:
                return True
            if "that was all" in command["command"]:
                return False
    raise AssertionError("the wire has no end")


def _flower(system: System) -> Running:
    environment = {"FLOWER_PORT": "0", "FLOWER_BASIC_AUTH": f"ops:{CANARY}", "LOG_FORMAT": "json"}
    return system.start("producers.cli.flower", **environment)


def _url(flower: Running) -> str:
    found = LISTENING.search(flower.program.log.read_text())
    assert found is not None
    return found.group(1)
