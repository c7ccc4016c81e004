"""The doorbell's message: it names jobs and carries nothing of them.

Built by hand, because Celery's own publishing costs 0.7 ms a message and this is one push for any number of them.
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
"""Of what stands in a bell. Raise it when a worker of the release before would misread one: it then puts the bell back for
others, so deploy workers that read the new one first."""
MAX_JOBS_IN_A_DOORBELL = 50
BELLS_IN_A_PUSH, MAX_JOBS_IN_A_BIG_DOORBELL = 8, 200
"""Jobs rung by turns get bigger bells, but never fewer than so many, for as many workers to share: Celery takes as long
for a bell whatever it names."""
LEAST_PIECE = 5
"""Of a lot in a bell, where there is as much: a thousand tenants' windows cut into single jobs would cost more than the
jobs."""
SEVERAL_KINDS = "jobs.several_kinds"
"""What Celery and Flower see as the task of a bell for jobs of different kinds."""
FEW = 25
"""Fewer jobs of a kind than this share a bell with other kinds: alone they would fill less than half of one."""
UUID_BYTES = 16


class JobRef(NamedTuple):
    """One job to be rung for."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


class Lot(NamedTuple):
    """Jobs of one kind and tenant, as a bell names them."""

    kind: str
    tenant_id: UUID
    ids: bytes
    """One UUID after the other: between PostgreSQL, the bell and the claim nobody needs them one by one, and an object
    for each would cost more than all the rest of a bell."""

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
    """What a worker learns from a message: whose jobs of which kind wait, and how urgent they are."""

    step: int
    lots: tuple[Lot, ...]
    traceparent: str | None = None
    ahead: bool = False
    """They may not be committed yet."""

    @property
    def jobs(self) -> int:
        return sum(lot.jobs for lot in self.lots)


def messages_of(
    rings: Iterable[JobRef],
    traceparent: str | None = None,
    *,
    ahead: bool = False,
    most: int = MAX_JOBS_IN_A_BIG_DOORBELL,
    at: float | None = None,
) -> dict[str, list[bytes]]:
    """The messages by the list they belong into, none of them for more than `most` jobs. `at` is the time by Redis's
    clock, from which their age is told; this machine's, if it isn't given."""
    lines: dict[tuple[str, int], dict[tuple[str, UUID], list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for ring in rings:
        lines[ring.queue, step_of(ring.priority)][ring.kind, ring.tenant_id].append(ring.job_id.bytes)
    return {
        list_of(queue, step): messages_in_turn(
            queue,
            step,
            [Lot(kind, tenant_id, b"".join(ids)) for (kind, tenant_id), ids in line.items()],
            traceparent,
            ahead=ahead,
            most=most,
            at=at,
        )
        for (queue, step), line in lines.items()
    }


def messages_in_turn(
    queue: str,
    step: int,
    lots: Iterable[Lot],
    traceparent: str | None = None,
    *,
    ahead: bool = False,
    most: int = MAX_JOBS_IN_A_BIG_DOORBELL,
    at: float | None = None,
) -> list[bytes]:
    """The messages for jobs of one list, so that each names jobs of all tenants alike. A bell is of one kind, or of kinds
    that have few jobs."""
    return [
        _message(queue, step, share, traceparent, ahead, at) for group in _by_kind(lots) for share in dealt(group, most)
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


def dealt(lots: Sequence[Lot], most: int = MAX_JOBS_IN_A_BIG_DOORBELL) -> Iterator[list[Lot]]:
    """The lots in shares of at most so many jobs, one for each bell: goes round as often as there are bells, and takes as large a part of each
    lot every time. A single job goes with the first round."""
    jobs = sum(lot.jobs for lot in lots)
    size = min(max(MAX_JOBS_IN_A_DOORBELL, jobs // BELLS_IN_A_PUSH), most)
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
    """Whether a worker of this release can read the message. Without a version it is the first, or no bell at all."""
    return headers.get("bell", 1) == VERSION


def read(headers: dict[str, object], body: bytes | str) -> Doorbell:
    """The doorbell in a message. ValueError when it is none."""
    try:
        named, *_ = orjson.loads(body)
        lots = tuple(_lot(kind, _tenant(tenant), bytes.fromhex(ids)) for kind, tenant, ids in named)
        step, trace = headers.get("step", 0), headers.get("traceparent")
        return Doorbell(int(str(step)), lots, str(trace) if trace else None, headers.get("ahead") is True)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("the message is no doorbell") from error


@lru_cache(maxsize=10_000)
def _tenant(text: str) -> UUID:
    # The same ones come again and again, and reading one takes longer than all else of a lot.
    return UUID(text)


def _lot(kind: object, tenant_id: UUID, ids: bytes) -> Lot:
    if len(ids) % UUID_BYTES:
        raise ValueError("the message is no doorbell: an id is cut off")
    return Lot(str(kind), tenant_id, ids)


def _id_at(at: float | None) -> UUID:
    """A UUIDv7, whose first 48 bits are a time in milliseconds (RFC 9562): here that of Redis."""
    made = uuid7().int
    return UUID(int=made if at is None else int(at * 1_000) << 80 | made & (1 << 80) - 1)


def _message(queue: str, step: int, lots: list[Lot], traceparent: str | None, ahead: bool, at: float | None) -> bytes:
    bell_id = str(_id_at(at))
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
                "id": bell_id,
                "root_id": bell_id,
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
                "correlation_id": bell_id,
                "delivery_tag": bell_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": step,
                "body_encoding": "base64",
            },
        }
    )
