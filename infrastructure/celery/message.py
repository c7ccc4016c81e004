"""The doorbell's message: it names jobs and carries nothing of them.

Built by hand, because Celery's own publishing costs 0.7 ms a message and this is one push for any number of them.
Wire format: Celery's task message protocol 2 (docs.celeryq.dev, "Message Protocol"), in kombu's virtual envelope.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import orjson
from uuid_utils import uuid4

from infrastructure.celery.lists import list_of, step_of

MOST_JOBS_IN_A_BELL = 50


class Ring(NamedTuple):
    """One job to be rung for."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


@dataclass(frozen=True, slots=True)
class Doorbell:
    """What a worker learns from a message: whose jobs of one kind wait, and how urgent they are."""

    kind: str
    step: int
    jobs: tuple[tuple[UUID, tuple[UUID, ...]], ...]
    """(tenant, its jobs)."""
    traceparent: str | None = None

    @property
    def job_ids(self) -> list[UUID]:
        return [job_id for _, job_ids in self.jobs for job_id in job_ids]


def messages_of(rings: Iterable[Ring], traceparent: str | None = None) -> dict[str, list[bytes]]:
    """The messages by the list they belong into. Jobs of one kind and step share one, up to fifty."""
    groups: dict[tuple[str, str, int], list[Ring]] = defaultdict(list)
    for ring in rings:
        groups[ring.queue, ring.kind, step_of(ring.priority)].append(ring)
    messages: dict[str, list[bytes]] = defaultdict(list)
    for (queue, kind, step), group in groups.items():
        for start in range(0, len(group), MOST_JOBS_IN_A_BELL):
            share = group[start : start + MOST_JOBS_IN_A_BELL]
            messages[list_of(queue, step)].append(_message(queue, kind, step, share, traceparent))
    return messages


def read(headers: dict[str, object], body: bytes | str) -> Doorbell:
    """The doorbell in a message. ValueError when it is none."""
    try:
        groups, *_ = orjson.loads(body)
        jobs = tuple((UUID(tenant), tuple(map(UUID, job_ids))) for tenant, *job_ids in groups)
        step, trace = headers.get("step", 0), headers.get("traceparent")
        return Doorbell(str(headers["task"]), int(str(step)), jobs, str(trace) if trace else None)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("the message is no doorbell") from error


def _message(queue: str, kind: str, step: int, rings: list[Ring], traceparent: str | None) -> bytes:
    bell_id = str(uuid4())
    jobs: dict[str, list[str]] = {}
    for ring in rings:
        tenant = str(ring.tenant_id)
        jobs.setdefault(tenant, [tenant]).append(str(ring.job_id))
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
                "argsrepr": f"{count} job{'s' if count > 1 else ''}, first {rings[0].job_id}",
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
