"""The doorbell: a Celery message that names jobs and carries nothing of them.

Built by hand, because Celery's own publishing costs 0.7 ms a message and this is one push for any number of them.
Wire format: Celery's task message protocol 2 (docs.celeryq.dev, "Message Protocol"), in kombu's virtual envelope.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import orjson
from uuid_utils import uuid4

from infrastructure.celery.lists import list_of, lists_of, step_of
from infrastructure.redis.client import Redis

MOST_JOBS_IN_A_BELL = 50


@dataclass(frozen=True, slots=True)
class Ring:
    """One job to be rung for."""

    job_id: UUID
    kind: str
    queue: str
    priority: int


class Doorbells:
    """Pushes doorbells into the queues' lists."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def ring(self, rings: Iterable[Ring], *, traceparent: str | None = None) -> int:
        """How many bells were rung: jobs of one kind share one, up to fifty.

        Raises one of the client's FAULTS when Redis can't take them; ringing again is safe, and so is leaving it to
        the sweeper.
        """
        pushes = _pushes(rings, traceparent)
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, messages in pushes.items():
                pipe.lpush(name, *messages)
            await pipe.execute()
        return sum(map(len, pushes.values()))

    async def return_first(self, queue: str, rings: Iterable[Ring]) -> None:
        """Puts jobs that a draining worker hadn't begun back to the front of their queue."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, messages in _pushes(rings, None).items():
                pipe.rpush(name, *messages)
            await pipe.execute()

    async def empty_queues(self, queues: Iterable[str]) -> list[str]:
        """Those of the queues that have no bell waiting."""
        names = list(queues)
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in names:
                pipe.exists(*lists_of(queue))
            found = await pipe.execute()
        return [queue for queue, lists in zip(names, found, strict=True) if not lists]


def _pushes(rings: Iterable[Ring], traceparent: str | None) -> dict[str, list[bytes]]:
    groups: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for ring in rings:
        groups[ring.queue, ring.kind, step_of(ring.priority)].append(str(ring.job_id))
    pushes: dict[str, list[bytes]] = defaultdict(list)
    for (queue, kind, step), ids in groups.items():
        for start in range(0, len(ids), MOST_JOBS_IN_A_BELL):
            share = ids[start : start + MOST_JOBS_IN_A_BELL]
            pushes[list_of(queue, step)].append(_message(queue, kind, step, share, traceparent))
    return pushes


def _message(queue: str, kind: str, step: int, ids: list[str], traceparent: str | None) -> bytes:
    bell_id = str(uuid4())
    count = len(ids)
    headers = {
        "lang": "py",
        "task": kind,
        "id": bell_id,
        "root_id": bell_id,
        "parent_id": None,
        "group": None,
        "argsrepr": f"{count} job{'s' if count > 1 else ''}: {', '.join(ids)}",
        "kwargsrepr": "",
        "origin": "bucatini",
        "jobs": count,
        "ignore_result": True,
        "retries": 0,
        "timelimit": [None, None],
        "traceparent": traceparent,
    }
    properties = {
        "correlation_id": bell_id,
        "delivery_tag": bell_id,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": step,
        "body_encoding": "base64",
    }
    body = b64encode(orjson.dumps([ids, {}, {}])).decode()
    return orjson.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )
