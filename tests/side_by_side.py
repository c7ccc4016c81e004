"""How many processes run the tests, in which order, and which tests nothing runs beside: a plugin of pytest's."""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

MAX_PROCESSES = 8
LONGEST = (
    "tests/readme/",
    "tests/integration/elasticsearch/",
    "tests/integration/local_stack/",
    "tests/integration/jobs/",
)
SHORTEST = ("tests/unit/", "tests/contracts/")


class Room:
    """What the processes of a run share. Each test is in it while it runs, and one that is marked `alone` is there alone."""

    def __init__(self, folder: Path) -> None:
        self._door, self._room = (folder / "door").open("a"), (folder / "room").open("a")
        self._alone = False

    def enter(self, *, alone: bool) -> None:
        """Returns when there is room. Whoever has it alone may enter again, until it leaves."""
        if self._alone:
            return
        # Whoever waits to be alone stands in the door, or those who come and go would keep it waiting for ever.
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)
        self._alone = alone

    def leave(self) -> None:
        fcntl.flock(self._room, fcntl.LOCK_UN)
        self._alone = False

    def close(self) -> None:
        self._door.close()
        self._room.close()


FOLDER = pytest.StashKey[TemporaryDirectory[str]]()
ROOM = pytest.StashKey[Room]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Twice as many as there are processors, since half of what tests take is waiting. None but pytest itself for a few
    tests that somebody chose: each process has servers to start."""
    options = config.option
    chosen = options.keyword or options.lf or all(Path(name.partition("::")[0]).is_file() for name in config.args)
    return 0 if chosen else min(2 * (os.cpu_count() or 1), MAX_PROCESSES)


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[ROOM] = Room(Path(given["room"]))
    elif config.getoption("dist") != "no":
        config.stash[FOLDER] = TemporaryDirectory(prefix="bucatini-tests-")


def pytest_configure_node(node: Any) -> None:
    """xdist is about to start this process."""
    node.workerinput["room"] = node.config.stash[FOLDER].name
    node.workerinput["run_pid"] = os.getpid()


def pytest_unconfigure(config: pytest.Config) -> None:
    if room := config.stash.get(ROOM, None):
        room.close()
    if folder := config.stash.get(FOLDER, None):
        folder.cleanup()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes aren't part of a test's name: one that holds the time, as gzip's do, has another in each process, and none of
    the run's tests is taken. Pytest numbers the equal ones."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first and the short ones last, so that all processes come to the end at about the same time."""
    items.sort(
        key=lambda item: (not _is_alone(item), not item.nodeid.startswith(LONGEST), item.nodeid.startswith(SHORTEST))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, T, T]:
    room = item.config.stash.get(ROOM, None)
    if room is None:
        return (yield)
    room.enter(alone=_is_alone(item))
    try:
        return (yield)
    finally:
        # Those that are alone follow on each other, or each would wait until the others' tests have ended.
        if not (nextitem and _is_alone(item) and _is_alone(nextitem)):
            room.leave()


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
