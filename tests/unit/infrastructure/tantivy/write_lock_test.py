"""The write lock of an index."""

import asyncio
from pathlib import Path

import pytest

from infrastructure.ports import Unavailable
from infrastructure.tantivy.generations.write_lock import WriteLock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_one_that_comes_back_at_once_lets_another_process_go_first(tmp_path: Path) -> None:
    ours, theirs = (WriteLock(tmp_path, wait_seconds=10) for _ in range(2))
    order: list[str] = []

    async def take(turns: WriteLock, name: str) -> None:
        async with turns.alone():
            order.append(name)

    async with ours.alone():
        waiting = asyncio.create_task(take(theirs, "theirs"))
        for _ in range(50):
            await asyncio.sleep(0)
    await take(ours, "ours")
    await waiting

    assert order == ["theirs", "ours"]


async def test_nobody_waits_for_ever_and_who_gave_up_is_in_nobodys_way(tmp_path: Path) -> None:
    ours, theirs = WriteLock(tmp_path, wait_seconds=10), WriteLock(tmp_path, wait_seconds=0.05)

    async with ours.alone():
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"written by others for 0\.05 s"):
                await theirs.alone().__aenter__()

    async with theirs.alone():
        pass


async def test_a_failure_gives_the_turn_back(tmp_path: Path) -> None:
    turns = WriteLock(tmp_path, wait_seconds=1)

    with pytest.raises(ZeroDivisionError):
        async with turns.alone():
            raise ZeroDivisionError

    async with turns.alone():
        pass
