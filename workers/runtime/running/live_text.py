"""Sends the text that runs write to those who listen, as it is written. Nothing is kept: who listens late, or reads slowly,
has the whole with the section's end.

A run's first piece goes out at once, and the rest every INTERVAL_SECONDS. Whether anybody listens is asked for all runs
together, every LOOK_SECONDS; meanwhile a run holds its text, so that who begins to listen gets the section from its start. A run
that waits for a model's first word is among those: when it comes, it waits neither for that question nor for a key.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.live_text import LivePiece, listened_in, listeners_query, publication, text_cell
from workers.runtime.running.drafts import Draft

if TYPE_CHECKING:
    from infrastructure.key_vault.keyring import Keyring

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.06
"""Between two pieces of a run."""
LOOK_SECONDS = 0.25
"""Between two looks at who listens."""
REST_SECONDS = 0.002
"""Between two rounds, so that those of many runs share one."""
AWAY_SECONDS = 1.0
"""While Redis, or a tenant's key, is away nothing is tried."""
FLUSH_SECONDS = 0.25
"""What is recorded waits no longer for the text before it."""


class LiveText:
    """One per worker. Never raises, never blocks its runs, and holds a bounded text for each."""

    def __init__(self, redis: Redis, open_keyring: Callable[[], AbstractAsyncContextManager["Keyring"]]) -> None:
        self._connection = RedisConnection(redis)
        self._open_keyring = open_keyring
        self._resources = AsyncExitStack()
        self._keyring: Keyring | None = None
        self._drafts: dict[int, Draft] = {}
        """By the job's id as an int."""
        self._unsent: dict[int, Draft] = {}
        self._wake = asyncio.Event()
        self._tasks = WatchedTasks()
        self._running = False
        self._fetching: set[UUID] = set()
        self._away_until = -math.inf

    def write(self, claimed: Claimed, text: str, section: int, offset: int, at: datetime) -> None:
        draft = self._draft_of(claimed)
        draft.add(section, offset, text, at)
        if draft.expects:
            # Those who listened a moment ago get it at once. If nobody did, somebody may by now.
            draft.expects, draft.due_at = False, -math.inf
            draft.looked_at = time.monotonic() if draft.listeners else -math.inf
            self._wake.set()
        self._put(draft)

    def expect(self, claimed: Claimed) -> None:
        """Finds out who will listen, and fetches the key, before there is anything to send."""
        draft = self._draft_of(claimed)
        draft.expects = not draft.held
        if draft.expects:
            draft.due_at = -math.inf
            self._put(draft)

    def holds(self, claimed: Claimed) -> bool:
        """Whether the run has text that wasn't sent."""
        draft = self._unsent.get(claimed.id.int)
        return draft is not None and bool(draft.held)

    async def flush(self, claimed: Claimed) -> None:
        """Sends what the run has written so far, if somebody listens: something that comes behind it is published next."""
        draft = self._unsent.get(claimed.id.int)
        if draft is not None and draft.held:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._send([draft])

    def reset(self, claimed: Claimed, section: int) -> None:
        """The section is written anew from its beginning."""
        if (draft := self._drafts.get(claimed.id.int)) is not None:
            draft.reset(section)

    def complete(self, claimed: Claimed, section: int) -> None:
        """The section is stored: nobody needs what is held of it."""
        if (draft := self._drafts.get(claimed.id.int)) is not None:
            draft.drop(section)

    def end(self, claimed: Claimed) -> None:
        """The run is over."""
        if self._drafts.pop(claimed.id.int, None) is not None:
            self._unsent.pop(claimed.id.int, None)

    async def close(self) -> None:
        self._drafts.clear()
        self._unsent.clear()
        self._wake.set()
        await self._tasks.finish()
        await self._resources.aclose()

    def _draft_of(self, claimed: Claimed) -> Draft:
        draft = self._drafts.get(claimed.id.int)
        if draft is None or draft.claimed is not claimed:
            draft = self._drafts[claimed.id.int] = Draft(claimed)
        return draft

    def _put(self, draft: Draft) -> None:
        if self._unsent.get(draft.claimed.id.int) is draft:
            return
        self._unsent[draft.claimed.id.int] = draft
        self._wake.set()
        if not self._running:
            self._running = True
            self._tasks.start(self._run(), "sends live text")

    async def _run(self) -> None:
        try:
            while self._unsent:
                self._wake.clear()
                now = time.monotonic()
                if due := [draft for draft in self._unsent.values() if draft.due_at <= now]:
                    await self._send(due)
                    await asyncio.sleep(REST_SECONDS)
                else:
                    await self._rest(min(draft.due_at for draft in self._unsent.values()) - now)
        finally:
            self._running = False

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _send(self, drafts: Sequence[Draft]) -> None:
        now = time.monotonic()
        if now < self._away_until:
            return self._postpone(drafts, self._away_until)
        try:
            await self._look([draft for draft in drafts if now - draft.looked_at >= LOOK_SECONDS], now)
            self._postpone([draft for draft in drafts if not draft.listeners], now + LOOK_SECONDS)
            if listened := [draft for draft in drafts if draft.listeners]:
                await self._publish(listened, await self._opened(), now)
        except FAULTS:
            logger.debug("live text wasn't sent: Redis can't be reached")
            self._away_until = now + AWAY_SECONDS
            self._postpone(drafts, self._away_until)
        return None

    def _postpone(self, drafts: Sequence[Draft], due_at: float) -> None:
        for draft in drafts:
            draft.due_at = due_at
            self._let_go(draft)

    def _let_go(self, draft: Draft) -> None:
        if not draft.held and not draft.expects:
            self._unsent.pop(draft.claimed.id.int, None)

    async def _look(self, drafts: Sequence[Draft], now: float) -> None:
        if not drafts:
            return
        subjects = dict.fromkeys(subject for draft in drafts for subject in draft.subjects)
        (reply,) = await self._connection.ask(listeners_query(subjects))
        listened = listened_in(reply)
        for draft in drafts:
            draft.looked_at = now
            draft.listeners = tuple(subject for subject in draft.subjects if subject in listened)

    async def _publish(self, drafts: Sequence[Draft], keyring: "Keyring", now: float) -> None:
        # From taking the pieces to asking Redis there is no await, or a flush might overtake this.
        publications = []
        for draft in drafts:
            claimed, cell = draft.claimed, text_cell(draft.claimed.tenant_id, draft.claimed.id)
            draft.due_at = now + (LOOK_SECONDS if draft.expects else INTERVAL_SECONDS)
            if not keyring.knows_active(claimed.tenant_id):
                self._fetch_key(keyring, claimed.tenant_id)
            while draft.held:
                sealed = keyring.seal_at_once(cell, draft.first())
                if sealed is None:
                    draft.waits_for_key, draft.due_at = True, now + AWAY_SECONDS
                    break
                draft.remove_first()
                piece = LivePiece(claimed.tenant_id, claimed.id, sealed)
                publications += [publication(subject, piece) for subject in draft.listeners]
            else:
                self._let_go(draft)
        if publications:
            await self._connection.ask(*publications)

    async def _opened(self) -> "Keyring":
        if self._keyring is None:
            self._keyring = await self._resources.enter_async_context(self._open_keyring())
        return self._keyring

    def _fetch_key(self, keyring: "Keyring", tenant_id: UUID) -> None:
        if tenant_id not in self._fetching:
            self._fetching.add(tenant_id)
            self._tasks.start(self._prepare(keyring, tenant_id), "fetches a key for live text")

    async def _prepare(self, keyring: "Keyring", tenant_id: UUID) -> None:
        try:
            await keyring.prepare(tenant_id)
        except Unavailable:
            logger.debug("live text isn't sent: the tenant's key can't be fetched")
            await asyncio.sleep(AWAY_SECONDS)
        finally:
            self._fetching.discard(tenant_id)
            self._go_on(tenant_id)

    def _go_on(self, tenant_id: UUID) -> None:
        for draft in self._unsent.values():
            if draft.waits_for_key and draft.claimed.tenant_id == tenant_id:
                draft.waits_for_key, draft.due_at = False, -math.inf
                self._wake.set()
