"""Subscribers are notified at once; without subscribers little is published."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from redis import Redis as SyncRedis
from redis.client import PubSub

from infrastructure.redis import tenant_notifier as announcer_module
from infrastructure.redis.client import connect
from infrastructure.redis.pubsub import VERSION, Channel, announcement, ids_in, is_understood
from infrastructure.redis.tenant_notifier import TenantNotifier
from tests.waiting import wait_until

FIRST, SECOND, THIRD = (UUID(int=number) for number in range(3))
Story = Callable[[TenantNotifier], Awaitable[None]]


@pytest.fixture(autouse=True)
def _nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for its time would wait longer than any test."""
    monkeypatch.setattr(announcer_module, "UNSUBSCRIBED_SECONDS", 600.0)


def _tell(redis_url: str, story: Story) -> None:
    async def told() -> None:
        redis = connect(redis_url)
        tenant_notifier = TenantNotifier(redis)
        try:
            await story(tenant_notifier)
        finally:
            await tenant_notifier.close()
            await redis.aclose()

    asyncio.run(told())


async def _until_said(redis_url: str, announcements: int) -> None:
    def said() -> bool:
        with SyncRedis.from_url(redis_url) as other:
            stats = other.info("commandstats").get("cmdstat_publish", {"calls": 0})
            return int(stats["calls"]) == announcements

    await asyncio.to_thread(wait_until, said, f"{announcements} announcements")


def _listen(redis_url: str) -> PubSub:
    listening: PubSub = SyncRedis.from_url(redis_url).pubsub()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    listening.subscribe(Channel.TENANTS)
    assert listening.get_message(timeout=10) is not None
    return listening


async def _heard(listening: PubSub) -> list[UUID]:
    message = await asyncio.to_thread(listening.get_message, timeout=10)
    assert message is not None
    return ids_in(message["data"])


def test_what_nobody_listens_to_is_said_together(redis_url: str) -> None:
    with SyncRedis.from_url(redis_url) as other:
        other.config_resetstat()

    async def story(tenant_notifier: TenantNotifier) -> None:
        tenant_notifier.notify([FIRST])
        await _until_said(redis_url, 1)
        tenant_notifier.notify([SECOND])
        await asyncio.sleep(0)  # What goes at once has gone by now.
        tenant_notifier.notify([THIRD])
        with _listen(redis_url) as listening:
            await tenant_notifier.close()
            assert set(await _heard(listening)) == {SECOND, THIRD}
        await _until_said(redis_url, 2)

    _tell(redis_url, story)


def test_who_listens_hears_at_once(redis_url: str) -> None:
    async def story(tenant_notifier: TenantNotifier) -> None:
        with _listen(redis_url) as listening:
            for tenant in (FIRST, SECOND, THIRD):
                tenant_notifier.notify([tenant])
                assert await _heard(listening) == [tenant]

    _tell(redis_url, story)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_what_another_release_says_in_another_way_is_known_for_it(count: int) -> None:
    ids = [UUID(int=number) for number in range(count)]
    *_, payload = announcement(Channel.STOP, ids)
    assert isinstance(payload, bytes)
    unversioned, newer = payload[:-1], payload[:-1] + bytes((VERSION + 1,))

    assert is_understood(Channel.STOP, payload)
    assert is_understood(Channel.STOP, unversioned), "the release before said it without one"
    assert not is_understood(Channel.STOP, newer)
    assert ids_in(payload) == ids_in(unversioned) == ids
