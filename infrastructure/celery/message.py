"""The doorbell: a Celery message that carries job ids and nothing else of the jobs.

Built by hand, because Celery publishes each message on its own and this is one push for any number of them.
Wire format: Celery's task message protocol 2 (docs.celeryq.dev, "Message Protocol"), in kombu's virtual envelope.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils import uuid7

from infrastructure.celery.keys import list_of, step_of

VERSION = 1
"""Version of the message's format. Raise it when a worker of the previous release would misread the new one: such a
worker puts the doorbell back for others, so deploy workers that read the new format first."""
MAX_JOBS_IN_A_DOORBELL = 50
BELLS_IN_A_PUSH, MAX_JOBS_IN_A_BIG_DOORBELL = 8, 200
"""Doorbells of the fair scheduler may be bigger, since Celery's cost is per message; but one push makes at least
BELLS_IN_A_PUSH of them, for as many workers to share."""
LEAST_PIECE = 5
"""The fewest jobs of a lot in one doorbell, where the lot has as many: a thousand tenants' lots cut into single jobs
would cost more than the jobs."""
SEVERAL_KINDS = "jobs.several_kinds"
"""The task that Celery calls for a doorbell with jobs of different kinds. Its `shadow` names them to Flower."""
MAX_NAMED = 3
"""Of several kinds, so many are named."""
FEW = 25
"""Kinds with fewer jobs than this share a doorbell: alone they would fill less than half of one."""
UUID_BYTES = 16


class JobRef(NamedTuple):
    """A job reference: what a doorbell needs to know of a job."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


class Lot(NamedTuple):
    """Jobs of one kind and tenant in a doorbell."""

    kind: str
    tenant_id: UUID
    ids: bytes
    """The jobs' UUIDs, 16 bytes each, concatenated: between PostgreSQL, the doorbell and the claim they are never
    needed one by one, and an object for each would cost more than the rest of the doorbell."""

    @property
    def jobs(self) -> int:
        return len(self.ids) // UUID_BYTES

    @property
    def job_ids(self) -> list[UUID]:
        return [UUID(bytes=one) for one in self.each()]

    def each(self) -> list[bytes]:
        return [self.ids[start : start + UUID_BYTES] for start in range(0, len(self.ids), UUID_BYTES)]

    def piece(self, start: int, end: int) -> "Lot":
        return Lot(self.kind, self.tenant_id, self.ids[start * UUID_BYTES : end * UUID_BYTES])


@dataclass(frozen=True, slots=True)
class Doorbell:
    """A decoded doorbell: the waiting jobs by kind and tenant, and their priority step."""

    step: int
    lots: tuple[Lot, ...]
    traceparent: str | None = None
    ahead: bool = False
    """Whether it was published before the jobs' commit: the claim then waits for the commit."""

    @property
    def jobs(self) -> int:
        return sum(lot.jobs for lot in self.lots)


def messages_of(
    refs: Iterable[JobRef],
    traceparent: str | None = None,
    *,
    ahead: bool = False,
    limit: int = MAX_JOBS_IN_A_BIG_DOORBELL,
    at: float | None = None,
) -> dict[str, list[bytes]]:
    """The messages for the jobs, by Redis list, each for at most `limit` jobs. `at` is the time by Redis's clock, which
    their ids carry; by default this machine's."""
    by_list: dict[tuple[str, int], dict[tuple[str, UUID], list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for ref in refs:
        by_list[ref.queue, step_of(ref.priority)][ref.kind, ref.tenant_id].append(ref.job_id.bytes)
    return {
        list_of(queue, step): messages_in_turn(
            queue,
            step,
            [Lot(kind, tenant_id, b"".join(ids)) for (kind, tenant_id), ids in tenants.items()],
            traceparent,
            ahead=ahead,
            limit=limit,
            at=at,
        )
        for (queue, step), tenants in by_list.items()
    }


def messages_in_turn(
    queue: str,
    step: int,
    lots: Iterable[Lot],
    traceparent: str | None = None,
    *,
    ahead: bool = False,
    limit: int = MAX_JOBS_IN_A_BIG_DOORBELL,
    at: float | None = None,
) -> list[bytes]:
    """The messages for jobs of one list, each with an equal share of every tenant's jobs. A doorbell holds one kind, or
    several kinds with few jobs each."""
    return [
        _message(queue, step, share, traceparent, ahead, at)
        for group in _by_kind(lots)
        for share in dealt(group, limit)
    ]


def _by_kind(lots: Iterable[Lot]) -> list[list[Lot]]:
    kinds: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots:
        kinds[lot.kind].append(lot)
    many: list[list[Lot]] = []
    few: list[Lot] = []
    for group in kinds.values():
        if sum(lot.jobs for lot in group) < FEW:
            few += group
        else:
            many.append(group)
    return [*many, few] if few else many


def dealt(lots: Sequence[Lot], limit: int = MAX_JOBS_IN_A_BIG_DOORBELL) -> Iterator[list[Lot]]:
    """Splits the lots into shares of at most `limit` jobs, one for each doorbell, round robin: each round takes an
    equal part of every lot. A lot of a single job goes into the first round."""
    jobs = sum(lot.jobs for lot in lots)
    size = min(max(MAX_JOBS_IN_A_DOORBELL, jobs // BELLS_IN_A_PUSH), limit)
    rounds = min(-(-jobs // size), -(-max((lot.jobs for lot in lots), default=0) // LEAST_PIECE))
    share: list[Lot] = []
    room = size
    for number in range(rounds):
        for lot in lots:
            start, end = -(-lot.jobs * number // rounds), -(-lot.jobs * (number + 1) // rounds)
            while start < end:
                count = min(end - start, room)
                share.append(lot.piece(start, start + count))
                start, room = start + count, room - count
                if not room:
                    yield share
                    share, room = [], size
    if share:
        yield share


def is_understood(headers: Mapping[str, object]) -> bool:
    """Whether this release can read the message. One without a version is of the first, or not a doorbell."""
    return headers.get("bell", 1) == VERSION


def read(headers: dict[str, object], body: bytes | str) -> Doorbell:
    """Decodes a doorbell. ValueError when the message isn't one."""
    try:
        named, *_ = orjson.loads(body)
        lots = tuple(_lot(kind, _tenant(tenant), bytes.fromhex(ids)) for kind, tenant, ids in named)
        step, trace = headers.get("step", 0), headers.get("traceparent")
        return Doorbell(int(str(step)), lots, str(trace) if trace else None, headers.get("ahead") is True)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("the message is no doorbell") from error


@lru_cache(maxsize=10_000)
def _tenant(text: str) -> UUID:
    # Cached, since the same tenants recur and parsing a UUID takes longer than the rest of a lot.
    return UUID(text)


def _lot(kind: object, tenant_id: UUID, ids: bytes) -> Lot:
    if len(ids) % UUID_BYTES:
        raise ValueError("the message is no doorbell: an id is cut off")
    return Lot(str(kind), tenant_id, ids)


def _id_at(at: float | None) -> UUID:
    """A UUIDv7, whose first 48 bits are a time in milliseconds (RFC 9562): here that of Redis."""
    made = uuid7().int
    return UUID(int=made if at is None else int(at * 1_000) << 80 | made & (1 << 80) - 1)


def _names(kinds: set[str]) -> str:
    """The kinds as Flower shows them: a few by name."""
    named, others = sorted(kinds)[:MAX_NAMED], len(kinds) - MAX_NAMED
    return ", ".join(named) + (f" and {others} more" if others > 0 else "")


def _message(queue: str, step: int, lots: list[Lot], traceparent: str | None, ahead: bool, at: float | None) -> bytes:
    doorbell_id = str(_id_at(at))
    ids: dict[tuple[str, UUID], list[bytes]] = defaultdict(list)
    for lot in lots:
        ids[lot.kind, lot.tenant_id].append(lot.ids)
    named = [(kind, str(tenant_id), b"".join(parts).hex()) for (kind, tenant_id), parts in ids.items()]
    kinds = {lot.kind for lot in lots}
    kind = lots[0].kind if len(kinds) == 1 else SEVERAL_KINDS
    of_kinds = "" if len(kinds) == 1 else f" of {len(kinds)} kinds"
    count = sum(lot.jobs for lot in lots)
    first = UUID(bytes=lots[0].ids[:UUID_BYTES])
    return orjson.dumps(
        {
            "body": b64encode(orjson.dumps([named, {}, {}])).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": kind,
                **({} if len(kinds) == 1 else {"shadow": _names(kinds)}),
                "id": doorbell_id,
                "root_id": doorbell_id,
                "parent_id": None,
                "group": None,
                "argsrepr": f"{count} job{'s' if count > 1 else ''}{of_kinds}, first {first}",
                "kwargsrepr": "",
                "origin": "bucatini",
                "bell": VERSION,
                "jobs": count,
                "step": step,
                "ignore_result": True,
                "retries": 0,
                "timelimit": [None, None],
                "traceparent": traceparent,
                "ahead": ahead,
            },
            "properties": {
                "correlation_id": doorbell_id,
                "delivery_tag": doorbell_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": step,
                "body_encoding": "base64",
            },
        }
    )
