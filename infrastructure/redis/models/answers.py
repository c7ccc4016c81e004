"""Models' answers in Redis: sealed with their tenant's key, few enough and small enough, and for a day."""

import time
from typing import Any, Final
from uuid import UUID

import orjson

from infrastructure.concurrency.loops import Loop
from infrastructure.key_vault.sealed import Cell, DecryptionFailed, Sealed
from infrastructure.ports import Unavailable
from infrastructure.ports.ai.answers import KeptAnswer, Question, Turn
from infrastructure.ports.keys import Sealer
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.script import Script

KEPT_SECONDS: Final = 86_400.0
MAX_ANSWERS: Final = 2_000
"""Of a tenant: then the oldest go."""
MAX_ANSWER_BYTES: Final = 65_536
LEASE_SECONDS: Final = 5.0
RENEWED_SECONDS: Final = 1.5
FAILED_SECONDS: Final = 1.0
"""How long others know that the one that asked for all has failed."""
AWAY_SECONDS: Final = 1.0
"""A Redis that didn't answer isn't asked again for so long: a call goes to its model instead."""


class SealedAnswers:
    """See `Answers`. Its loop renews the leases of calls under way."""

    def __init__(
        self, redis: Redis, sealer: Sealer, *, kept_seconds: float = KEPT_SECONDS, max_answers: int = MAX_ANSWERS
    ) -> None:
        self._connection = RedisConnection(redis)
        self._sealer = sealer
        self._kept_ms = int(kept_seconds * 1_000)
        self._max_answers = max_answers
        self._join = Script(__package__, "answers_join.lua")
        self._land = Script(__package__, "answers_land.lua")
        self._renew = Script(__package__, "answers_renew.lua")
        self._leases: dict[str, str] = {}
        """Held by this process: keys by token."""
        self._away_until = 0.0

    @property
    def loop(self) -> Loop:
        return Loop("shared model calls", RENEWED_SECONDS, self.renew)

    async def join(self, question: Question) -> KeptAnswer | Turn:
        if self._is_away:
            return Turn.LEAD
        keys = (_answer_key(question.tenant_id, question.digest), _lease_key(question))
        try:
            said, sealed = await self._join.run(self._connection, keys, question.token, _milliseconds(LEASE_SECONDS))
        except FAULTS:
            self._left()
            return Turn.LEAD
        match said:
            case b"kept":
                # One that can't be opened is nobody's answer: it goes when the next is kept in its place.
                return await self._opened(question.tenant_id, question.digest, sealed) or Turn.ALONE
            case b"lead":
                self._leases[question.token] = keys[1]
                return Turn.LEAD
            case _:
                return Turn(said.decode())

    async def land(self, question: Question, answer: KeptAnswer | None, *, failed: bool = False) -> None:
        held = self._leases.pop(question.token, None)
        sealed = b"" if answer is None else await self._sealed(question, answer)
        if held is None and not sealed:
            return
        name = question.digest.hex()
        keys = (
            _answer_key(question.tenant_id, question.digest),
            _lease_key(question),
            _index_key(question.tenant_id),
        )
        failed_ms = _milliseconds(FAILED_SECONDS) if failed or (answer is not None and not sealed) else 0
        arguments = (question.token, sealed, self._kept_ms, name, self._max_answers, failed_ms)
        try:
            await self._land.run(self._connection, keys, *arguments)
        except FAULTS:
            self._left()

    async def renew(self) -> None:
        for token, key in tuple(self._leases.items()):
            await self._renew.run(self._connection, (key,), token, _milliseconds(LEASE_SECONDS))

    async def _sealed(self, question: Question, answer: KeptAnswer) -> bytes:
        """Empty for an answer that isn't kept: one that is too long, or whose tenant has no key now."""
        plain = orjson.dumps(
            {
                "text": answer.text,
                "provider": answer.provider,
                "model": answer.model,
                "served_model": answer.served_model,
                "finish_reason": answer.finish_reason,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
            }
        )
        if len(plain) > MAX_ANSWER_BYTES:
            return b""
        try:
            return (await self._sealer.seal(_cell(question.tenant_id, question.digest), plain)).ciphertext
        except Unavailable:
            return b""

    async def _opened(self, tenant_id: UUID, digest: bytes, sealed: bytes) -> KeptAnswer | None:
        try:
            plain = await self._sealer.open_bytes(_cell(tenant_id, digest), Sealed(sealed))
            fields: dict[str, Any] = orjson.loads(plain)
            return KeptAnswer(**fields)
        except (DecryptionFailed, Unavailable, orjson.JSONDecodeError, TypeError):
            return None

    @property
    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _left(self) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS


def _answer_key(tenant_id: UUID, digest: bytes) -> str:
    return f"bucatini:answer:{tenant_id}:{digest.hex()}"


def _lease_key(question: Question) -> str:
    return f"bucatini:asking:{question.tenant_id}:{question.digest.hex()}"


def _index_key(tenant_id: UUID) -> str:
    return f"bucatini:answers:{tenant_id}"


def _cell(tenant_id: UUID, digest: bytes) -> Cell:
    return Cell(tenant_id, "redis", "answer", digest.hex())


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)
