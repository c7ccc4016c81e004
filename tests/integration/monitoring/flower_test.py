"""Flower as a real process on a real Redis, and what operators' endpoints say of a process that hangs."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from celery import Celery

from infrastructure.local_stack.servers.redis import RedisServer
from infrastructure.local_stack.supervisor.processes import Program, Running, spawn
from schemas.catalogue import queues as known_queues
from tests.forked import fork
from tests.probe import Misbehave, Nothing
from tests.system import System
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
CANARY = "cANARY77aBcDeFgH"
WORKER = "ai-1@somewhere"
LISTENING = re.compile(r'"event":"(?:flower|metrics)_listening".*?"url":"(http://[^"/]+)')
PAGES = ("/", "/workers?json=1", "/tasks", "/broker", "/metrics", "/task/1", "/nothing")
HANGS = """
import asyncio, threading
from monitoring.logs.logging import configure
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import Supervisor
from monitoring.health.event_loop import LoopLag
from monitoring.health.loops import EVENT_LOOP, LoopReport
from monitoring.health.server import serve

async def main():
    supervisor = Supervisor(LoopReport, on_fatal=print)
    supervisor.start(Loop(EVENT_LOOP, 0.05, LoopLag(0.05).measure, stalled_after_seconds=0.5))
    asyncio.get_running_loop().call_later(1.5, threading.Event().wait)
    with serve(0, faults=supervisor.stalled):
        await asyncio.Event().wait()

configure()
asyncio.run(main())
"""


@pytest.fixture
def flower(redis_url: str, tmp_path: Path) -> Iterator[Running]:
    with _process(tmp_path, "-m", "producers.cli.flower", REDIS_URL=redis_url, FLOWER_PORT="0") as running:
        yield running


def test_flower_shows_what_runs_by_its_name_and_hides_what_is_in_it(flower: Running, redis_url: str) -> None:
    url = _url(flower)

    shown = _shown_after_events(url, redis_url)

    by_id = {task["uuid"]: task for task in shown}
    assert by_id["1"]["name"] == "ai.process_document"
    assert by_id["1"]["state"] == "SUCCESS"
    assert by_id["1"]["args"] == "2 jobs: 0198c5c4, 0198c5c5"
    assert by_id["2"]["exception"] == "ValueError"
    assert WORKER in httpx.get(f"{url}/workers?json=1").text
    seen = json.dumps(shown) + "".join(httpx.get(url + page).text for page in PAGES)
    assert CANARY not in seen


def test_flower_shows_a_real_workers_jobs_by_kind_and_count(system: System, flower: Running) -> None:
    url = _url(flower)
    system.worker()
    wait_until(lambda: "ai-" in httpx.get(f"{url}/workers?json=1").text, "Flower knows the worker")

    def shown() -> list[dict[str, Any]]:
        # Submitted again until Flower's request for task events has reached the worker.
        system.submit(*[Nothing(pad=CANARY) for _ in range(3)])
        return [task for task in _tasks(url) if (task["name"], task["state"]) == ("probe.nothing", "SUCCESS")]

    tasks = wait_until(shown, "Flower shows what the worker did, by its kind")

    assert re.match(r"[123] jobs?\b", tasks[0]["args"])
    worker = httpx.get(f"{url}/worker/{tasks[0]['worker']}")
    assert worker.status_code == 200
    assert CANARY not in worker.text + json.dumps(tasks)
    assert _password(system.environment["REDIS_URL"]) not in worker.text


def test_a_doorbell_with_a_failed_job_shows_as_failed_and_one_to_be_retried_as_that(
    system: System, flower: Running
) -> None:
    url = _url(flower)
    system.worker()
    wait_until(lambda: "ai-" in httpx.get(f"{url}/workers?json=1").text, "Flower knows the worker")

    def shown() -> dict[str, str]:
        # Submitted again until Flower's request for task events has reached the worker.
        system.submit(Misbehave(how="refuse", pad=CANARY), Nothing())
        system.submit(Misbehave(how="ask for patience"))
        tasks = _tasks(url)
        assert all(task["name"] for task in tasks), "every row has a name"
        by_state = {task["state"]: f"{task['name']}: {task['exception'] or task['result']}" for task in tasks}
        return by_state if {"FAILURE", "RETRY"} <= by_state.keys() else {}

    by_state = wait_until(shown, "Flower shows a failed doorbell and a retried one")

    assert re.fullmatch(r"(probe\.misbehave|.*probe\.nothing): \d+ failed.*", by_state["FAILURE"]), by_state
    assert re.fullmatch(r"probe\.misbehave.*: .*\d+ retrying.*", by_state["RETRY"]), by_state
    assert CANARY not in str(_tasks(url))


def test_flower_lists_every_queue_and_says_what_its_tasks_are_and_where_the_jobs_are(flower: Running) -> None:
    url = _url(flower)
    queues = set(re.findall(r'<tr id="(\w+)">', httpx.get(f"{url}/broker").text))

    assert queues == set(known_queues())
    for page in ("/", "/tasks", "/broker"):
        text = httpx.get(url + page).text
        assert "Tasks here are <strong>doorbells</strong>" in text
        assert '<a href="http://127.0.0.1:8000/">the console</a>' in text
        assert "Doorbells</a>" in text


def test_the_brokers_password_is_in_no_page_no_argument_and_no_log_line(flower: Running, redis_url: str) -> None:
    password = _password(redis_url)
    url = _url(flower)
    broker = httpx.get(f"{url}/broker")

    assert len(password) > 10
    assert "redis://:***@127.0.0.1" in broker.text
    assert all(password not in httpx.get(url + page).text for page in PAGES)
    processes = [psutil.Process(flower.pid), *psutil.Process(flower.pid).children(recursive=True)]
    assert password not in str([process.cmdline() for process in processes])
    assert password not in flower.program.log.read_text()


def test_flower_without_a_password_can_be_looked_at_and_not_used(redis_url: str, tmp_path: Path) -> None:
    # Flower reads this one itself; even whoever opens its API so can't touch a worker by it.
    opened = {"FLOWER_UNAUTHENTICATED_API": "true"}
    with _process(tmp_path, "-m", "producers.cli.flower", REDIS_URL=redis_url, FLOWER_PORT="0", **opened) as running:
        url = _url(running)

        assert httpx.get(f"{url}/api/workers").status_code == 200
        for path in (f"worker/shutdown/{WORKER}", "task/revoke/1", "task/send-task/ai.process_document"):
            assert httpx.post(f"{url}/api/{path}").status_code == 403


def test_flower_with_a_password_asks_for_it(redis_url: str, tmp_path: Path) -> None:
    environment = {"REDIS_URL": redis_url, "FLOWER_PORT": "0", "FLOWER_BASIC_AUTH": f"ops:{CANARY}"}
    with _process(tmp_path, "-m", "producers.cli.flower", **environment) as running:
        url = _url(running)

        assert httpx.get(f"{url}/tasks").status_code == 401
        assert httpx.get(f"{url}/tasks", auth=("ops", "wrong")).status_code == 401
        assert httpx.get(f"{url}/tasks", auth=("ops", CANARY)).status_code == 200
        assert CANARY not in running.program.log.read_text()


def test_flower_says_what_to_do_when_it_would_be_open_to_the_network(redis_url: str, tmp_path: Path) -> None:
    with _process(tmp_path, "-m", "producers.cli.flower", REDIS_URL=redis_url, FLOWER_HOST="0.0.0.0") as running:
        wait_until(lambda: running.exit_code is not None, "Flower ends")

        assert running.exit_code == 2
        assert running.said("set FLOWER_BASIC_AUTH=user:password")


def test_flower_ends_when_it_is_asked_to_also_while_redis_is_away(
    redis_process: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    with _process(tmp_path, "-m", "producers.cli.flower", REDIS_URL=redis_url, FLOWER_PORT="0") as running:
        url = _url(running)
        redis_process.kill()
        try:
            assert httpx.get(f"{url}/healthcheck").text == "OK"
            httpx.get(f"{url}/workers?refresh=1")
            running.ask_to_end()
            wait_until(lambda: running.exit_code is not None, "Flower ends without Redis")
        finally:
            redis_process.start()

    assert running.exit_code == 0


def test_a_process_whose_loop_hangs_says_so_and_still_serves_its_metrics(tmp_path: Path) -> None:
    with _process(tmp_path, "-c", HANGS) as running:
        url = _url(running)
        wait_until(lambda: httpx.get(f"{url}/healthz").status_code == 200, "the process is well at first")
        wait_until(lambda: httpx.get(f"{url}/healthz").status_code == 503, "the hanging loop is noticed")

        assert 'bucatini_loop_rounds_total{loop="event loop",outcome="succeeded"}' in httpx.get(f"{url}/metrics").text


def _shown_after_events(url: str, redis_url: str) -> list[dict[str, Any]]:
    """Flower's task table once it has heard what a worker would say of two doorbells. Said again until it listens."""

    def shown() -> list[dict[str, Any]]:
        _say_what_a_worker_would(redis_url)
        tasks = _tasks(url)
        # Where it began to listen halfway it knows how they ended and not what they are.
        named = all(task["name"] for task in tasks)
        return tasks if named and {task["state"] for task in tasks} == {"SUCCESS", "FAILURE"} else []

    return wait_until(shown, "Flower shows both tasks")


def _say_what_a_worker_would(redis_url: str) -> None:
    app = Celery(broker=redis_url, set_as_current=False)
    with app.connection() as connection, app.events.Dispatcher(connection, hostname=WORKER) as worker:
        worker.send("worker-heartbeat", freq=2.0)
        for uuid in ("1", "2"):
            arguments = {"args": "2 jobs: 0198c5c4, 0198c5c5", "kwargs": CANARY}
            worker.send("task-received", uuid=uuid, name="ai.process_document", **arguments)
            worker.send("task-started", uuid=uuid)
        worker.send("task-succeeded", uuid="1", result=CANARY, runtime=0.2)
        worker.send("task-failed", uuid="2", exception=f"ValueError('{CANARY}')", traceback=CANARY)


def _tasks(url: str) -> list[dict[str, Any]]:
    table = {"draw": "1", "start": "0", "length": "100", "order[0][column]": "0", "columns[0][data]": "uuid"}
    tasks: list[dict[str, Any]] = httpx.get(f"{url}/tasks/datatable", params=table).json()["data"]
    return tasks


def _password(redis_url: str) -> str:
    return redis_url.removeprefix("redis://:").partition("@")[0]


def _url(running: Running) -> str:
    def found() -> str:
        told = LISTENING.search(running.program.log.read_text())
        return told.group(1) if told else ""

    return wait_until(found, "the process says where it listens")


@contextmanager
def _process(folder: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    own = {"PATH": os.environ["PATH"], "BUCATINI_HOME": str(folder / "home")}
    running = Running(
        Program(
            name="process",
            argv=(sys.executable, *arguments),
            log=folder / "process.log",
            environment={**own, **environment},
            folder=ROOT,
        ),
        fork if arguments[0] == "-m" else spawn,
    )
    try:
        yield running
    finally:
        running.kill()
