"""Tells every process at once that something happened. It says that, never what: PostgreSQL knows what.

All channels are lossy by design; who must not miss anything also looks into PostgreSQL now and then.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from enum import StrEnum
from uuid import UUID

import orjson

from events.envelope import CloudEvent
from infrastructure.redis.client import FAULTS, Redis

UUID_BYTES = 16
VERSION = 1
"""Of what is said. It stands behind the ids as a byte of its own, where who doesn't know of it takes it for no id. Live
events have CloudEvents' own."""
RECONNECT_SECONDS = 0.5
POLL_SECONDS = 1.0


class Channel(StrEnum):
    TENANTS = "bucatini:tenants"
    """Sixteen bytes for each tenant that has new rows in `job_events`."""
    LIVE = "bucatini:live"
    """Sixteen bytes of the tenant, then one CloudEvent that is never stored, such as a job's progress."""
    STOP = "bucatini:stop"
    """Sixteen bytes for each running job that was cancelled."""
    OVERFLOW = "bucatini:overflow"
    """Words: whose jobs wait for a turn to be rung for, see infrastructure/celery/doorbell.py."""
    ADMISSION = "bucatini:admission"
    """Sixteen bytes for each capped job that was submitted or has ended: a dispatcher looks whom to let in."""
    RULES = "bucatini:rules"
    """Nothing: holds or tenants' limits changed."""


async def announce(redis: Redis, channel: Channel, ids: Iterable[UUID]) -> None:
    """One PUBLISH for any number of ids. Raises one of FAULTS when Redis can't take it; losing it loses nothing."""
    await redis.execute_command(*announcement(channel, ids))


def announcement(channel: Channel, ids: Iterable[UUID]) -> tuple[str | bytes, ...]:
    """The command that says it."""
    return "PUBLISH", channel, b"".join(identity.bytes for identity in ids) + bytes((VERSION,))


async def announce_words(redis: Redis, channel: Channel, words: bytes) -> None:
    """The same for a channel on which words are said."""
    await redis.publish(channel, words + bytes((VERSION,)))


def is_understood(channel: Channel, payload: bytes) -> bool:
    """Whether a process of this release can read it. What has no version is of the first."""
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


async def listen(redis: Redis, *channels: Channel) -> AsyncGenerator[tuple[Channel, bytes] | None, None]:
    """What is said from now on, without end. None whenever something may have been missed: at the start, after every
    reconnection, and for what another release says in another way."""
    while True:
        pubsub = redis.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(*channels)
            yield None
            while True:
                message = await pubsub.get_message(timeout=POLL_SECONDS)
                _heed_cancellation()
                if message is not None and message["type"] == "message":
                    said = Channel(message["channel"].decode()), message["data"]
                    yield said if is_understood(*said) else None
        except FAULTS:
            _heed_cancellation()
            await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            with suppress(*FAULTS):
                await pubsub.aclose()


def _heed_cancellation() -> None:
    # redis-py pings within `asyncio.wait_for`, which in Python 3.11 loses a cancellation that comes when the ping is
    # just sent: whoever cancelled would wait for this task for ever.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
