"""A real Flower that watches a drain, and the proof that it sees the tasks."""

import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.benchmarks.stage import READY_SECONDS, Show

_LISTENING = re.compile(r"http://[\d.]+:\d+")
_SEEN = re.compile(r'^flower_events_total\{[^}]*type="task-succeeded"[^}]*\} ([\d.e+]+)$', re.MULTILINE)


@contextmanager
def watched(show: Show) -> Iterator[Callable[[], bool]]:
    """Gives whether Flower has seen a task succeed by now: then the workers send their events."""
    flower = show.start_program("flower", sys.executable, "-m", "producers.cli.flower", FLOWER_PORT="0")
    flower.await_ready(lambda: flower.said("flower_listening"), within_seconds=READY_SECONDS)
    found = _LISTENING.search(flower.program.log.read_text())
    assert found is not None, flower.told("Flower doesn't say where it listens")
    url = found[0]
    yield lambda: _tasks_seen(url) > 0
    assert _tasks_seen(url) > 0, "Flower saw the tasks"


def _tasks_seen(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        return sum(float(count) for count in _SEEN.findall(answer.read().decode()))
