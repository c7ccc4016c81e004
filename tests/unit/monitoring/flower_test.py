"""What Flower may show, and to whom."""

import pytest
from celery import Celery

from monitoring.flower.events import harmless
from monitoring.flower.serving import FlowerWouldBeOpen, serve_flower

CANARY = "cANARY77aBcDeFgH"


def test_flower_keeps_nothing_of_an_event_that_may_quote_a_document() -> None:
    kept = harmless(
        {
            "type": "task-failed",
            "uuid": "1",
            "name": "ai.process_document",
            "exception": f"ValueError('{CANARY}')",
            "traceback": CANARY,
            "result": CANARY,
            "kwargs": CANARY,
            "args": "3 jobs: 0198c5c4, 0198c5c5, 0198c5c6",
        }
    )

    assert kept == {
        "type": "task-failed",
        "uuid": "1",
        "name": "ai.process_document",
        "exception": "ValueError",
        "args": "3 jobs: 0198c5c4, 0198c5c5, 0198c5c6",
    }


def test_flower_keeps_how_many_jobs_came_to_what() -> None:
    failed = {"type": "task-failed", "exception": "JobsFailed('1 failed, 2 succeeded')"}
    hostile = {"type": "task-failed", "exception": f"JobsFailed('1 failed, {CANARY}')"}

    assert harmless(failed)["exception"] == "1 failed, 2 succeeded"
    assert harmless(hostile)["exception"] == "JobsFailed"
    assert harmless({"type": "task-succeeded", "result": "3 succeeded, 1 not run here"})["result"].startswith("3 ")


def test_flower_keeps_a_heartbeat_as_it_is() -> None:
    heartbeat = {"type": "worker-heartbeat", "hostname": "ai-1", "active": 3}

    assert harmless(heartbeat) == heartbeat


def test_arguments_are_bounded() -> None:
    assert len(harmless({"type": "task-received", "args": "x" * 100_000})["args"]) <= 500


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "10.0.0.1", "example.com"])
def test_flower_without_a_password_refuses_to_listen_beyond_this_machine(host: str) -> None:
    with pytest.raises(FlowerWouldBeOpen, match="set FLOWER_BASIC_AUTH=user:password"):
        serve_flower(Celery(), host=host, port=0, basic_auth=None, console_url="", queues=())
