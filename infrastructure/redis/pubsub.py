"""Redis pub/sub between processes: a message says that something changed; what changed is read from PostgreSQL.

All channels are lossy by design; a subscriber that must not miss anything also polls PostgreSQL.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from uuid import UUID

import orjson
from redis.asyncio.client import PubSub

from events.envelope import CloudEvent
from infrastructure.redis.client import FAULTS, Redis

UUID_BYTES = 16
VERSION = 1
"""Version of the payload: one byte behind the ids, which a release without versions ignores. Live events have
CloudEvents' own version."""
ROUND_SECONDS = 1.0


class Channel(StrEnum):
    TENANTS = "bucatini:tenants"
    """Sixteen bytes for each tenant that has new rows in `job_events`."""
    LIVE = "bucatini:live"
    """Sixteen bytes of the tenant, then one CloudEvent that is never stored, such as a job's progress."""
    STOP = "bucatini:stop"
    """Sixteen bytes for each running job that was cancelled."""
    OVERFLOW = "bucatini:overflow"
    """Text: the tenants whose jobs wait for the fair scheduler, see infrastructure/celery/doorbell.py."""
    ADMISSION = "bucatini:admission"
    """Sixteen bytes for each capped job that was submitted or has ended: a dispatcher checks which jobs to admit."""
    RULES = "bucatini:rules"
    """No payload: holds or tenants' limits changed."""


async def announce(redis: Redis, channel: Channel, ids: Iterable[UUID]) -> None:
    """Publishes any number of ids in one message. Raises one of FAULTS; losing the message loses no data."""
    await redis.execute_command(*announcement(channel, ids))


def announcement(channel: Channel, ids: Iterable[UUID]) -> tuple[str | bytes, ...]:
    """The PUBLISH command for `announce`."""
    return "PUBLISH", channel, b"".join(identity.bytes for identity in ids) + bytes((VERSION,))


async def announce_words(redis: Redis, channel: Channel, words: bytes) -> None:
    """`announce` for a channel whose payload is text."""
    await redis.publish(channel, words + bytes((VERSION,)))


def is_understood(channel: Channel, payload: bytes) -> bool:
    """Whether this release can read the payload. One without a version is of the first."""
    if channel is Channel.OVERFLOW:
        return not payload or payload[-1] == VERSION
    return channel is Channel.LIVE or len(payload) % UUID_BYTES != 1 or payload[-1] == VERSION


async def say_live(redis: Redis, tenant_id: UUID, event: CloudEvent) -> None:
    await redis.publish(Channel.LIVE, tenant_id.bytes + event.model_dump_json(exclude_none=True).encode())


def ids_in(payload: bytes) -> list[UUID]:
    whole = len(payload) - len(payload) % UUID_BYTES
    return [UUID(bytes=payload[start : start + UUID_BYTES]) for start in range(0, whole, UUID_BYTES)]


def words_in(payload: bytes) -> bytes:
    return payload[:-1]


def live_in(payload: bytes) -> tuple[UUID, CloudEvent]:
    return UUID(bytes=payload[:UUID_BYTES]), CloudEvent.model_validate(orjson.loads(payload[UUID_BYTES:]))


class Subscription:
    """The messages of some channels, read a round at a time: `read` is the step of a loop without a pause."""

    def __init__(
        self, redis: Redis, on_message: Callable[[tuple[Channel, bytes] | None], None], *channels: Channel
    ) -> None:
        """`on_message` gets each message, and None whenever some may have been missed: after every subscription, the first
        included, and for a message of another version."""
        self._redis = redis
        self._on_message = on_message
        self._channels = channels
        self._pubsub: PubSub | None = None

    async def read(self) -> None:
        """Reads what comes within ROUND_SECONDS. Raises one of FAULTS when Redis is away; the next call subscribes anew."""
        try:
            pubsub = self._pubsub or await self._subscribe()
            ends_at = time.monotonic() + ROUND_SECONDS
            while (left := ends_at - time.monotonic()) > 0:
                message = await pubsub.get_message(timeout=left)
                heed_cancellation()
                if message is not None and message["type"] == "message":
                    received = Channel(message["channel"].decode()), message["data"]
                    self._on_message(received if is_understood(*received) else None)
        except BaseException:
            await self.close()
            heed_cancellation()
            raise

    async def close(self) -> None:
        """Ends the subscription; a later `read` begins another."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(*FAULTS):
                await pubsub.aclose()

    async def _subscribe(self) -> PubSub:
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        await self._pubsub.subscribe(*self._channels)
        self._on_message(None)
        return self._pubsub


def heed_cancellation() -> None:
    # redis-py pings within `asyncio.wait_for`, which in Python 3.11 loses a cancellation that arrives while the ping is
    # sent: the canceller would wait for this task for ever.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
