"""The doorbell's message: it names jobs and carries nothing of them.

Built by hand, because Celery's own publishing costs 0.7 ms a message and this is one push for any number of them.
Wire format: Celery's task message protocol 2 (docs.celeryq.dev, "Message Protocol"), in kombu's virtual envelope.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils import uuid4

from infrastructure.celery.lists import list_of, step_of

MOST_JOBS_IN_A_BELL = 50
SEVERAL_KINDS = "jobs.several_kinds"
"""What Celery and Flower see as the task of a bell for jobs of different kinds."""
FEW = 5
"""Fewer jobs of a kind than this share a bell with other kinds: Celery takes as long for a bell whatever it names."""


class Ring(NamedTuple):
    """One job to be rung for."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


@dataclass(frozen=True, slots=True)
class Doorbell:
    """What a worker learns from a message: whose jobs of which kind wait, and how urgent they are."""

    step: int
    jobs: tuple[tuple[str, UUID, tuple[UUID, ...]], ...]
    """(kind, tenant, its jobs)."""
    traceparent: str | None = None

    @property
    def job_ids(self) -> list[UUID]:
        return [job_id for *_, job_ids in self.jobs for job_id in job_ids]


def messages_of(rings: Iterable[Ring], traceparent: str | None = None) -> dict[str, list[bytes]]:
    """The messages by the list they belong into. Jobs of one step share one, up to fifty: those of one kind, or those of
    kinds that have few."""
    lines: dict[tuple[str, int], dict[str, list[Ring]]] = defaultdict(lambda: defaultdict(list))
    for ring in rings:
        lines[ring.queue, step_of(ring.priority)][ring.kind].append(ring)
    messages: dict[str, list[bytes]] = defaultdict(list)
    for (queue, step), kinds in lines.items():
        for group in _groups(kinds):
            for start in range(0, len(group), MOST_JOBS_IN_A_BELL):
                share = group[start : start + MOST_JOBS_IN_A_BELL]
                messages[list_of(queue, step)].append(_message(queue, step, share, traceparent))
    return messages


def _groups(kinds: Mapping[str, list[Ring]]) -> list[list[Ring]]:
    few = [group for group in kinds.values() if len(group) < FEW]
    if len(few) < 2:
        return list(kinds.values())
    return [*(group for group in kinds.values() if len(group) >= FEW), [ring for group in few for ring in group]]


def read(headers: dict[str, object], body: bytes | str) -> Doorbell:
    """The doorbell in a message. ValueError when it is none."""
    try:
        groups, *_ = orjson.loads(body)
        jobs = tuple((str(kind), UUID(tenant), tuple(map(UUID, job_ids))) for kind, tenant, *job_ids in groups)
        step, trace = headers.get("step", 0), headers.get("traceparent")
        return Doorbell(int(str(step)), jobs, str(trace) if trace else None)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("the message is no doorbell") from error


def _message(queue: str, step: int, rings: list[Ring], traceparent: str | None) -> bytes:
    bell_id = str(uuid4())
    jobs: dict[tuple[str, UUID], list[str]] = {}
    for ring in rings:
        place = ring.kind, ring.tenant_id
        jobs.setdefault(place, [ring.kind, str(ring.tenant_id)]).append(str(ring.job_id))
    kinds = {kind for kind, _ in jobs}
    kind = rings[0].kind if len(kinds) == 1 else SEVERAL_KINDS
    of_kinds = "" if len(kinds) == 1 else f" of {len(kinds)} kinds"
    count = len(rings)
    return orjson.dumps(
        {
            "body": b64encode(orjson.dumps([list(jobs.values()), {}, {}])).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": kind,
                "id": bell_id,
                "root_id": bell_id,
                "parent_id": None,
                "group": None,
                "argsrepr": f"{count} job{'s' if count > 1 else ''}{of_kinds}, first {rings[0].job_id}",
                "kwargsrepr": "",
                "origin": "bucatini",
                "jobs": count,
                "step": step,
                "ignore_result": True,
                "retries": 0,
                "timelimit": [None, None],
                "traceparent": traceparent,
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
