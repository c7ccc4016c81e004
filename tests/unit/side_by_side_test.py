"""What is alone has nothing beside it, and comes in however many come and go. All processes call a test the same."""

import fcntl
import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.side_by_side import Room
from tests.waiting import wait_until


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[list[Room]]:
    """The same room, as three processes know it."""
    rooms = [Room(tmp_path) for _ in range(3)]
    yield rooms
    for room in rooms:
        room.close()


def test_tests_are_there_together_but_for_one_that_is_alone(rooms: list[Room]) -> None:
    first, second, alone = rooms
    first.enter(alone=False)
    second.enter(alone=False)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(alone.enter, alone=True)
        first.leave()
        assert not waiting.done()
        second.leave()
        waiting.result()


def test_nobody_passes_one_that_waits_to_be_alone(rooms: list[Room], tmp_path: Path) -> None:
    before, alone, after = rooms
    order: list[str] = []

    def run(room: Room, name: str, *, is_alone: bool) -> None:
        room.enter(alone=is_alone)
        order.append(name)
        room.leave()

    before.enter(alone=False)
    with ThreadPoolExecutor(2) as threads:
        threads.submit(run, alone, "alone", is_alone=True)
        wait_until(lambda: _is_locked(tmp_path / "door"), "it stands in the door")
        threads.submit(run, after, "after", is_alone=False)
        before.leave()

    assert order == ["alone", "after"]


def test_who_is_alone_may_go_on(rooms: list[Room]) -> None:
    alone, other, _ = rooms
    alone.enter(alone=True)
    alone.enter(alone=True)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(other.enter, alone=False)
        alone.leave()
        waiting.result()


@pytest.mark.parametrize("packed", [gzip.compress(b"the second it was packed in is part of it")])
def test_bytes_arent_part_of_a_tests_name(packed: bytes, request: pytest.FixtureRequest) -> None:
    assert request.node.name == "test_bytes_arent_part_of_a_tests_name[packed]"


def _is_locked(file: Path) -> bool:
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
