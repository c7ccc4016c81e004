"""The ledger in PostgreSQL. Concurrent callers share a statement, so that writing before each call costs little."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar
from uuid import UUID

from infrastructure.concurrency.batching import Batcher, Overloaded
from infrastructure.concurrency.work_clock import waiting
from infrastructure.ports import Refused, Unavailable, Unstorable
from infrastructure.ports.ai.answers import PaidAnswer
from infrastructure.ports.ai.ledger import AttemptEnd, JobSpending, NewAttempt
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.ai import attempts
from infrastructure.postgres.ai.paid_answers import SealedAnswer, sealed_answer
from infrastructure.postgres.session import BUS_SESSION, Connection, PostgresSession, Role, SessionChanged
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.problems import Problem

T = TypeVar("T")

END_AGAIN_AFTER_SECONDS: Final = (0.1, 0.3, 1.0, 3.0)
"""An end is what is known of money that was spent, so it isn't given up at once: PostgreSQL may be restarting."""

Ended = tuple[NewAttempt, AttemptEnd, SealedAnswer | None]


class StoredLedger:
    """A Ledger. Beginnings and ends go over a connection each, so that neither waits for the other; close it after the last
    call."""

    def __init__(self, database_url: str, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer
        self._beginning = PostgresSession(database_url, Role.SYSTEM, "ledger begin", BUS_SESSION)
        self._ending = PostgresSession(database_url, Role.SYSTEM, "ledger end", BUS_SESSION)
        self._begins: Batcher[NewAttempt, None] = Batcher(self._begin, "attempts to begin")
        self._ends: Batcher[Ended, None] = Batcher(self._end, "attempts to end")

    async def begin(self, attempt: NewAttempt) -> None:
        await _answer_of(self._begins, attempt)

    async def end(self, attempt: NewAttempt, end: AttemptEnd, paid: PaidAnswer | None = None) -> None:
        answer = None if paid is None else await sealed_answer(self._sealer, attempt, paid)
        await _answer_of(self._ends, (attempt, end, answer))

    async def spent_by_job(self, tenant_id: UUID, job_id: UUID) -> JobSpending:
        return await self._pool.run(tenant_id, partial(attempts.spent_by_job, tenant_id=tenant_id, job_id=job_id))

    async def attempts_of_job(self, tenant_id: UUID, job_id: UUID) -> tuple[tuple[NewAttempt, AttemptEnd | None], ...]:
        return await self._pool.run(tenant_id, partial(attempts.of_job, tenant_id=tenant_id, job_id=job_id))

    async def close(self) -> None:
        """Returns once everything that was handed in is stored, or has failed."""
        await self._begins.drain()
        await self._ends.drain()
        await self._beginning.close()
        await self._ending.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _begin(self, new: Sequence[NewAttempt]) -> Sequence[Exception | None]:
        async def write(some: Sequence[NewAttempt]) -> Sequence[Exception | None]:
            allowed = await _once_more(self._beginning, partial(attempts.begin, attempts=some))
            return [None if one.id in allowed else Refused(_ERASED) for one in some]

        return await _each_alone_if_unstorable(new, write)

    async def _end(self, ended: Sequence[Ended]) -> Sequence[Exception | None]:
        async def write(some: Sequence[Ended]) -> Sequence[Exception | None]:
            # The same attempt twice in one statement would fail; the first end stands.
            once = {attempt.id: (attempt, end, answer) for attempt, end, answer in reversed(some)}
            await self._end_whatever_happens(list(once.values()))
            return [None for _ in some]

        return await _each_alone_if_unstorable(ended, write)

    async def _end_whatever_happens(self, ended: Sequence[Ended]) -> None:
        answers = [answer for _, _, answer in ended if answer is not None]
        end = partial(attempts.end, ended=[(attempt, end) for attempt, end, _ in ended], answers=answers)
        for seconds in END_AGAIN_AFTER_SECONDS:
            with suppress(Unavailable):
                await _once_more(self._ending, end)
                return
            await asyncio.sleep(seconds)
        await self._ending.run(end)


_ERASED: Final = Problem.of(
    "tenant-erased",
    "The tenant is being erased",
    410,
    "Nothing is written of it any more, so no model is called for it.",
)

Item = TypeVar("Item")


async def _answer_of(batcher: "Batcher[Item, None]", item: Item) -> None:
    try:
        with waiting():  # For those who share the statement, and for PostgreSQL.
            await batcher.put(item)
    except Overloaded as overloaded:
        raise Unavailable(str(overloaded)) from None


async def _once_more(session: PostgresSession, work: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        return await session.run(work)
    except SessionChanged:  # The statement had no effect.
        return await session.run(work)


async def _each_alone_if_unstorable(
    items: Sequence[Item], write: Callable[[Sequence[Item]], Awaitable[Sequence[Exception | None]]]
) -> Sequence[Exception | None]:
    """What PostgreSQL can't hold fails by itself, and not those who happened to write at the same time."""
    try:
        return await write(items)
    except Unstorable as unstorable:
        if len(items) == 1:
            return [unstorable]
    results: list[Exception | None] = []
    for item in items:
        results += await _each_alone_if_unstorable([item], write)
    return results
