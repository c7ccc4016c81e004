"""Listening to Redis ends when it is told to."""

import asyncio
from contextlib import suppress
from uuid import UUID

import pytest
import uvloop

from infrastructure.redis import client, pubsub
from infrastructure.redis.pubsub import VERSION, Channel, Subscription
from tests.waiting import GUARD_SECONDS


def test_a_listener_that_is_cancelled_between_two_polls_still_ends(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_seconds = 0.01
    monkeypatch.setattr(pubsub, "ROUND_SECONDS", poll_seconds)
    # So that every poll begins with a PING, which is what takes the cancellation.
    monkeypatch.setattr(client, "HEALTH_CHECK_SECONDS", poll_seconds / 2)

    async def hear(redis: client.Redis, begun: asyncio.Event) -> None:
        subscription = Subscription(redis, lambda _: begun.set(), Channel.STOP)
        while True:
            # As its supervisor does. With checks as often as these, one may meet a connection that isn't greeted yet.
            with suppress(*client.FAULTS):
                await subscription.read()

    async def cancel_often() -> None:
        redis = client.connect(redis_url)
        for number in range(150):
            begun = asyncio.Event()
            listening = asyncio.create_task(hear(redis, begun))
            await begun.wait()
            loop = asyncio.get_running_loop()
            # Around the end of a poll, a little earlier or later each time.
            loop.call_later(poll_seconds + (number % 60 - 10) * 1e-5, listening.cancel)
            _, pending = await asyncio.wait((listening,), timeout=GUARD_SECONDS)
            assert not pending, f"it listens on after cancellation {number}"
        await redis.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(cancel_often())


def test_what_another_release_says_in_another_way_is_taken_for_something_missed(redis_url: str) -> None:
    async def hear() -> list[object]:
        redis = client.connect(redis_url)
        heard: list[object] = []
        subscription = Subscription(redis, heard.append, Channel.STOP)
        await subscription.read()
        for version in (VERSION + 1, VERSION):
            await redis.publish(Channel.STOP, UUID(int=7).bytes + bytes((version,)))
        while len(heard) < 3:
            await subscription.read()
        await subscription.close()
        await redis.aclose()
        return heard

    missed, newer, ours = asyncio.run(hear())

    assert missed is None
    assert newer is None
    assert ours == (Channel.STOP, UUID(int=7).bytes + bytes((VERSION,)))
