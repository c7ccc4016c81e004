"""The doorbell's wire format: what it carries, what it never carries, and that Celery reads it as its own message."""

from base64 import b64decode
from collections import Counter
from typing import Any
from uuid import UUID

import orjson
import pytest
from celery.worker.request import Request
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from infrastructure.celery.app import celery_app
from infrastructure.celery.keys import NORMAL_STEP, PATIENT_STEP, STEPS_IN_TURN, URGENT_STEP, list_of, step_of
from infrastructure.celery.message import (
    BELLS_IN_A_PUSH,
    FEW,
    MAX_JOBS_IN_A_BIG_DOORBELL,
    MAX_JOBS_IN_A_DOORBELL,
    SEVERAL_KINDS,
    JobRef,
    Lot,
    dealt,
    messages_of,
    read,
)
from infrastructure.settings import load

JOB, TENANT = UUID(int=1), UUID(int=2)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

kinds = st.sampled_from([("ai", "ai.brew"), ("ai", "ai.bake"), ("keys", "keys.rotate")])
rings = st.builds(
    lambda job_id, tenant_id, queue_and_kind, priority: JobRef(
        job_id, tenant_id, queue_and_kind[1], queue_and_kind[0], priority
    ),
    st.uuids(),
    st.sampled_from([UUID(int=number) for number in range(3)]),
    kinds,
    st.integers(0, 9),
)


def _one(*rings: JobRef, traceparent: str | None = None) -> dict[str, Any]:
    (messages,) = messages_of(rings, traceparent).values()
    (message,) = messages
    decoded: dict[str, Any] = orjson.loads(message)
    return decoded


def _received(message: dict[str, Any]) -> Any:
    """As kombu hands it to a consumer."""
    return Connection("memory://").channel().message_to_python(message)


def test_the_message_is_celerys_and_carries_nothing_else() -> None:
    message = _one(JobRef(JOB, TENANT, "ai.brew", "ai", 8), traceparent=TRACE)

    bell_id = message["headers"]["id"]
    assert UUID(bell_id)
    assert message == {
        "body": message["body"],
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "ai.brew",
            "id": bell_id,
            "root_id": bell_id,
            "parent_id": None,
            "group": None,
            "argsrepr": f"1 job, first {JOB}",
            "kwargsrepr": "",
            "origin": "bucatini",
            "bell": 1,
            "jobs": 1,
            "step": URGENT_STEP,
            "ignore_result": True,
            "retries": 0,
            "timelimit": [None, None],
            "traceparent": TRACE,
            "ahead": False,
        },
        "properties": {
            "correlation_id": bell_id,
            "delivery_tag": bell_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "ai"},
            "priority": URGENT_STEP,
            "body_encoding": "base64",
        },
    }
    assert orjson.loads(b64decode(message["body"])) == [[["ai.brew", str(TENANT), JOB.hex]], {}, {}]


def test_celery_reads_it_as_a_task_of_its_kind() -> None:
    app = celery_app(load({"REDIS_URL": "redis://nowhere"}), ["ai.brew"])
    message = _received(_one(JobRef(JOB, TENANT, "ai.brew", "ai", 5), JobRef(UUID(int=9), TENANT, "ai.brew", "ai", 5)))

    request = Request(message, app=app, task=app.tasks[message.headers["task"]])

    assert (request.name, request.id) == ("ai.brew", message.properties["correlation_id"])
    assert request.argsrepr == f"2 jobs, first {JOB}"
    assert request.args == [["ai.brew", str(TENANT), JOB.hex + UUID(int=9).hex]]
    assert request.kwargs == {}
    assert request.eta is None
    assert request.expires is None
    assert request.time_limits == [None, None]
    assert not request.errbacks


@given(st.lists(rings, max_size=200))
def test_every_job_is_named_once_in_the_right_list(rung: list[JobRef]) -> None:
    told: list[tuple[str, str, UUID, UUID]] = []
    for name, messages in messages_of(rung).items():
        for message in map(_received, map(orjson.loads, messages)):
            doorbell = read(message.headers, message.body)
            assert message.headers["jobs"] == doorbell.jobs <= MAX_JOBS_IN_A_DOORBELL
            told += [(name, lot.kind, lot.tenant_id, job) for lot in doorbell.lots for job in lot.job_ids]

    assert sorted(told) == sorted(
        (list_of(ring.queue, step_of(ring.priority)), ring.kind, ring.tenant_id, ring.job_id) for ring in rung
    )


def test_a_burst_shares_as_few_bells_as_it_can() -> None:
    burst = [JobRef(UUID(int=number), TENANT, "ai.brew", "ai", 5) for number in range(2 * MAX_JOBS_IN_A_DOORBELL + 1)]

    (messages,) = messages_of(burst).values()

    assert [orjson.loads(message)["headers"]["jobs"] for message in messages] == [50, 50, 1]


def test_a_long_push_has_big_bells_and_still_some_for_every_worker() -> None:
    lots = [Lot("ai.brew", UUID(int=tenant), ids_of(100)) for tenant in range(10)]

    sizes = [sum(lot.jobs for lot in share) for share in dealt(lots)]

    assert sum(sizes) == 1_000
    assert len(sizes) == BELLS_IN_A_PUSH
    assert max(sum(lot.jobs for lot in share) for share in dealt(lots * 10)) == MAX_JOBS_IN_A_BIG_DOORBELL


def test_each_bell_names_jobs_of_all_tenants_by_what_they_have() -> None:
    heavy, light = (Lot("ai.brew", UUID(int=number), ids_of(jobs)) for number, jobs in enumerate((200, 100)))
    newcomer = Lot("ai.brew", UUID(int=2), ids_of(1))

    shares = list(dealt([heavy, light, newcomer]))

    assert newcomer in shares[0], "who has one job needn't wait for the others' many"
    told = Counter[int]()
    for share in shares:
        for lot in share:
            told[lot.tenant_id.int] += lot.jobs
        assert abs(told[0] - 2 * told[1]) <= 2 * 200 / len(shares), "never more than a round apart"


def test_windows_of_very_many_tenants_are_not_cut_into_single_jobs() -> None:
    lots = [Lot("ai.brew", UUID(int=number), ids_of(10)) for number in range(500)]

    pieces = [lot for share in dealt(lots) for lot in share]

    assert sum(lot.jobs for lot in pieces) == 5_000
    assert len(pieces) <= 3 * len(lots), "two pieces each, and one more where a bell was full"


@given(st.lists(st.integers(0, 300), max_size=20))
def test_dealing_loses_nothing_and_names_nothing_twice(jobs: list[int]) -> None:
    lots = [Lot("ai.brew", UUID(int=number), ids_of(count)) for number, count in enumerate(jobs)]

    dealt_out = [lot for share in dealt(lots) for lot in share]

    for lot in lots:
        assert b"".join(one.ids for one in dealt_out if one.tenant_id == lot.tenant_id) == lot.ids


def ids_of(count: int) -> bytes:
    return b"".join(UUID(int=number).bytes for number in range(count))


def test_kinds_with_few_jobs_share_a_bell_and_a_kind_with_many_has_its_own() -> None:
    several = [JobRef(UUID(int=number), TENANT, f"ai.kind_{number}", "ai", 5) for number in range(30)]
    many = [JobRef(UUID(int=100 + number), TENANT, "ai.brew", "ai", 5) for number in range(FEW)]

    (messages,) = messages_of([*several, *many]).values()

    headers = [orjson.loads(message)["headers"] for message in messages]
    assert [(one["task"], one["jobs"]) for one in headers] == [("ai.brew", FEW), (SEVERAL_KINDS, 30)]
    assert headers[1]["argsrepr"] == f"30 jobs of 30 kinds, first {several[0].job_id}"


def test_every_worker_takes_bells_of_several_kinds() -> None:
    assert SEVERAL_KINDS in celery_app(load({"REDIS_URL": "redis://nowhere"}), ["ai.brew"]).tasks


@pytest.mark.parametrize(
    ("priorities", "step"), [(range(7, 10), URGENT_STEP), (range(3, 7), NORMAL_STEP), (range(3), PATIENT_STEP)]
)
def test_a_priority_has_its_list(priorities: range, step: int) -> None:
    assert {step_of(priority) for priority in priorities} == {step}


def test_the_plain_name_is_where_ordinary_work_goes() -> None:
    assert list_of("ai", step_of(5)) == "ai"
    assert len({list_of("ai", step) for step in STEPS_IN_TURN}) == len(STEPS_IN_TURN)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[[1, 2], {}, {}]",
        b'[["x"], {}, {}]',
        b'[[["x", "y"]], {}, {}]',
        b'[[["x", "0" * 32, "ab"]], {}, {}]',
        b"\xff\xfe",
        b"7",
    ],
)
def test_what_is_no_doorbell_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read({"task": "ai.brew"}, body)
