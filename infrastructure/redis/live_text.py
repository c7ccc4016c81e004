"""Channels of text as it is written: one of each job and one of each tenant, so that it goes only where somebody listens.

Redis knows who listens (`PUBSUB NUMSUB`), and forgets a process that died. What goes through it is sealed.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

from redis.asyncio.client import PubSub

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.key_vault.sealed import Cell, Sealed
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import Command
from infrastructure.redis.pubsub import ROUND_SECONDS, heed_cancellation

PREFIX = "bucatini:text:"
VERSION = 1
"""The first byte of a payload; then sixteen bytes each of the tenant and of the job, and the sealed CloudEvent."""
HEADER_BYTES = 33


class LivePiece(NamedTuple):
    """A piece of a job's text on its way."""

    tenant_id: UUID
    job_id: UUID
    sealed: Sealed

    @property
    def cell(self) -> Cell:
        return text_cell(self.tenant_id, self.job_id)


def text_cell(tenant_id: UUID, job_id: UUID) -> Cell:
    """What a piece is sealed for: it can't be opened as another job's."""
    return Cell(tenant_id, "jobs", "live_text", str(job_id))


def publication(subject: UUID, piece: LivePiece) -> Command:
    """The command that sends the piece to those who listen to the subject, a job or a tenant. It replies how many they are."""
    header = bytes((VERSION,)) + piece.tenant_id.bytes + piece.job_id.bytes
    return "PUBLISH", f"{PREFIX}{subject}", header + piece.sealed.ciphertext


def listeners_query(subjects: Iterable[UUID]) -> Command:
    return "PUBSUB", "NUMSUB", *(f"{PREFIX}{subject}" for subject in subjects)


def listened_in(reply: Sequence[Any]) -> set[UUID]:
    """The subjects of a reply to `listeners_query` to whom somebody listens."""
    counted = zip(reply[::2], reply[1::2], strict=True)
    return {UUID(channel.decode().removeprefix(PREFIX)) for channel, count in counted if count}


def piece_in(payload: bytes) -> LivePiece | None:
    """None for a payload of another version."""
    if len(payload) < HEADER_BYTES or payload[0] != VERSION:
        return None
    tenant_id, job_id = UUID(bytes=payload[1:17]), UUID(bytes=payload[17:HEADER_BYTES])
    return LivePiece(tenant_id, job_id, Sealed(payload[HEADER_BYTES:]))


class TextChannels:
    """Listens to a changing set of subjects: `read` is the step of a loop without a pause."""

    def __init__(self, redis: Redis, on_piece: Callable[[UUID, LivePiece], None]) -> None:
        """`on_piece` gets the subject, and what was sent to those who listen to it."""
        self._redis = redis
        self._on_piece = on_piece
        self._subjects: set[UUID] = set()
        self._subscribed: set[UUID] = set()
        self._pubsub: PubSub | None = None
        self._turn = asyncio.Lock()
        self._following = WatchedTasks()

    @property
    def idle(self) -> bool:
        return not self._subjects

    @property
    def connected(self) -> bool:
        return self._pubsub is not None and self._pubsub.connection is not None

    def listen(self, subject: UUID) -> None:
        self._subjects.add(subject)
        self._follow_soon()

    def leave(self, subject: UUID) -> None:
        self._subjects.discard(subject)
        self._follow_soon()

    async def read(self) -> None:
        """Reads what comes within ROUND_SECONDS; not to be called while it is idle and not connected. Raises one of FAULTS when Redis is away; the next call subscribes anew."""
        try:
            pubsub = self._pubsub = self._pubsub or self._redis.pubsub(ignore_subscribe_messages=True)
            await self._follow(pubsub)
            ends_at = time.monotonic() + ROUND_SECONDS
            while (left := ends_at - time.monotonic()) > 0:
                message = await pubsub.get_message(timeout=left)
                heed_cancellation()
                if message is not None and message["type"] == "message":
                    self._deliver(message["channel"], message["data"])
        except BaseException:
            await self.close()
            heed_cancellation()
            raise

    async def close(self) -> None:
        """Ends the subscription; a later `read` begins another."""
        pubsub, self._pubsub = self._pubsub, None
        self._subscribed.clear()
        if pubsub is not None:
            with suppress(*FAULTS):
                await pubsub.aclose()

    def _deliver(self, channel: bytes, payload: bytes) -> None:
        if (piece := piece_in(payload)) is not None:
            self._on_piece(UUID(channel.decode().removeprefix(PREFIX)), piece)

    def _follow_soon(self) -> None:
        # At once, beside a read under way, which would only see it a second later.
        if self._pubsub is not None:
            self._following.start(self._try_to_follow(self._pubsub), "listens to live text")

    async def _try_to_follow(self, pubsub: PubSub) -> None:
        with suppress(*FAULTS):  # The read finds the same, and subscribes anew.
            await self._follow(pubsub)

    async def _follow(self, pubsub: PubSub) -> None:
        async with self._turn:
            while pubsub is self._pubsub and (coming := self._subjects - self._subscribed):
                await pubsub.subscribe(*(f"{PREFIX}{subject}" for subject in coming))
                if pubsub is self._pubsub:
                    self._subscribed |= coming
            while pubsub is self._pubsub and (leaving := self._subscribed - self._subjects):
                self._subscribed -= leaving
                await pubsub.unsubscribe(*(f"{PREFIX}{subject}" for subject in leaving))
