"""Instances go from step to step under real PostgreSQL, each step once, whoever dies on the way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from bucatini.testing import RecordedRun
from events.workflow import WorkflowCompleted
from infrastructure.ports import Refused
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.workflow.instances import StoredInstances, instance
from infrastructure.wiring import search_engine
from kinds.run import AwaitChildren, Child
from schemas.ai import ProcessDocument
from schemas.jobs import JobState
from schemas.problems import Problem
from schemas.search import AllTerms, IndexDocument, SearchQuery
from schemas.workflow import InstanceStatus, RunWorkflowStep, WorkflowInstance
from tests.system import System
from workers.workflow.step_runner import run_workflow_step

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


READ_THEN_INDEX: dict[str, Any] = {
    "StartAt": "Read",
    "States": {
        "Read": {
            "Type": "Task",
            "Resource": "urn:bucatini:job:ai.process_document",
            "Parameters": {"title.$": "$.title", "text.$": "$.text"},
            "ResultPath": "$.read",
            "Next": "Index",
        },
        "Index": {
            "Type": "Task",
            "Resource": "urn:bucatini:job:search.index_document",
            "Parameters": {
                "document_id.$": "$.id",
                "title.$": "$.title",
                "text.$": "$.text",
                "language.$": "$.read.language.code",
                "document_type": "contract",
            },
            "ResultPath": "$.indexed",
            "End": True,
        },
    },
}
LEASE = {"id": "lease-1", "title": "Lease", "text": "This lease is made in March."}


@dataclass
class Instance:
    """One instance, whose children the test ends by hand."""

    instances: StoredInstances
    command: RunWorkflowStep
    run: RecordedRun = field(default_factory=RecordedRun)

    async def step(self) -> WorkflowCompleted | AwaitChildren:
        return await run_workflow_step(self.command, self.run, instances=self.instances)

    def child_ends(self, result: dict[str, Any] | None, problem: Problem | None = None) -> None:
        state = JobState.SUCCEEDED if problem is None else JobState.FAILED
        self.run.children += (Child(uuid7(), "any", state, result, problem),)

    async def stored(self) -> WorkflowInstance:
        stored = await self.instances.read(self.run.tenant_id, self.run.job_id)
        assert stored is not None
        return stored


@pytest.fixture
async def lines(database_url: str) -> AsyncIterator[TenantPool]:
    async with TenantPool(database_url, "test") as lines:
        yield lines


@pytest.fixture
def started(lines: TenantPool) -> Instance:
    command = RunWorkflowStep.model_validate({"definition": READ_THEN_INDEX, "input": LEASE})
    return Instance(StoredInstances(lines), command)


async def test_two_steps_run_one_after_the_other_and_the_instance_shows_where_it_is(started: Instance) -> None:
    assert await started.step() == AwaitChildren((ProcessDocument(title="Lease", text=LEASE["text"]),))
    assert ((await started.stored()).status, (await started.stored()).state) == (InstanceStatus.RUNNING, "Read")

    started.child_ends({"language": {"code": "en"}})
    indexing = IndexDocument(
        document_id="lease-1", title="Lease", text=LEASE["text"], language="en", document_type="contract"
    )
    assert await started.step() == AwaitChildren((indexing,))
    assert (await started.stored()).state == "Index"

    started.child_ends({"version": 1})
    output = {**LEASE, "read": {"language": {"code": "en"}}, "indexed": {"version": 1}}
    completed = await started.step()

    assert completed == WorkflowCompleted(instance_id=started.run.job_id, state="Index", output=output, steps=2)
    stored = await started.stored()
    assert (stored.status, stored.data, stored.version) == (InstanceStatus.SUCCEEDED, output, 3)
    assert [step.job_id for step in stored.steps] == [child.job_id for child in started.run.children]


async def test_a_step_that_runs_again_at_any_point_comes_to_the_same_answer(started: Instance) -> None:
    for result in ({"language": {"code": "en"}}, {"version": 1}, None):
        first = await started.step()
        stored = await started.stored()

        assert [await started.step(), await started.step()] == [first, first]
        assert await started.stored() == stored
        if result is not None:
            started.child_ends(result)


async def test_two_runs_at_once_advance_an_instance_once(started: Instance) -> None:
    twin = replace(started)

    first, second = await asyncio.gather(started.step(), twin.step())
    assert first == second
    assert (await started.stored()).version == 1

    started.child_ends({"language": {"code": "en"}})
    answers = await asyncio.gather(*(one.step() for one in [started, twin] * 4))
    assert all(answer == answers[0] for answer in answers)
    assert (await started.stored()).version == 2


async def test_a_failed_child_fails_the_instance_with_its_problem(started: Instance) -> None:
    await started.step()
    started.child_ends(None, Problem.of("too-long", "The text is too long", 413))

    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await started.step()
        assert refused.value.problem.name == "too-long"

    stored = await started.stored()
    assert (stored.status, stored.state, stored.version) == (InstanceStatus.FAILED, "Read", 2)
    assert stored.problem == refused.value.problem


async def test_a_task_that_does_not_exist_is_refused_without_a_trace(lines: TenantPool) -> None:
    nonsense = {"Type": "Task", "Resource": "urn:bucatini:job:ai.think", "End": True}
    command = RunWorkflowStep.model_validate({"definition": {"StartAt": "Think", "States": {"Think": nonsense}}})
    broken = Instance(StoredInstances(lines), command)

    with pytest.raises(Refused) as refused:
        await broken.step()

    assert refused.value.problem.name == "definition-invalid"
    assert await broken.instances.read(broken.run.tenant_id, broken.run.job_id) is None


async def test_an_instance_of_passing_states_ends_in_one_run(lines: TenantPool) -> None:
    states = {"Shape": {"Type": "Pass", "Parameters": {"kept.$": "$.x"}, "End": True}}
    command = RunWorkflowStep.model_validate(
        {"definition": {"StartAt": "Shape", "States": states}, "input": {"x": "…"}}
    )

    completed = await Instance(StoredInstances(lines), command).step()

    assert isinstance(completed, WorkflowCompleted)
    assert completed.output == {"kept": "…"}


async def test_no_tenant_sees_anothers_instance(started: Instance, lines: TenantPool) -> None:
    await started.step()
    tenant_id, job_id = started.run.tenant_id, started.run.job_id
    stranger = uuid4()

    assert await started.instances.read(stranger, job_id) is None
    assert await lines.run(stranger, lambda connection: instance(connection, tenant_id, job_id)) is None


async def test_what_an_instance_holds_survives_the_database_unchanged(started: Instance) -> None:
    odd = {"ü": "😀\u202e", "n": [1, 1.5, -0.0, 10**15, True, None, ""], "deep": {"a": [{"b": []}]}}
    started.command = started.command.model_copy(update={"input": {**LEASE, "odd": odd}})

    await started.step()

    data = (await started.stored()).data
    assert isinstance(data, dict)
    assert data["odd"] == odd


def test_real_workers_carry_an_instance_through_and_survive_a_kill(system: System, tmp_path: Path) -> None:
    quick = {"HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "5", "RING_AGAIN_SECONDS": "1"}
    index: dict[str, Any] = READ_THEN_INDEX["States"]["Index"]["Parameters"] | {"language.$": "$.language"}
    again = index | {"document_id": "copy", "title": "Copy"}
    for name in ("document_id.$", "title.$"):
        again.pop(name)
    task = {"Type": "Task", "Resource": "urn:bucatini:job:search.index_document"}
    definition = {
        "StartAt": "First",
        "States": {
            "First": {**task, "Parameters": index, "ResultPath": "$.first", "Next": "Second"},
            "Second": {**task, "Parameters": again, "ResultPath": "$.second", "End": True},
        },
    }
    command = RunWorkflowStep.model_validate({"definition": definition, "input": {**LEASE, "language": "en"}})
    system.dispatcher(**quick)
    doomed = system.start("workers.runtime", "workflow", **quick)

    (job_id,) = system.submit(command)
    system.await_state(job_id, "waiting")
    doomed.kill()
    system.start("workers.runtime", "search", **quick)
    system.start("workers.runtime", "workflow", **quick)

    system.await_state(job_id, "succeeded")
    (result,) = system.read("SELECT result FROM jobs WHERE id = %s", job_id)[0]
    assert result["output"]["first"]["document_id"] == "lease-1"
    assert result["output"]["second"]["document_id"] == "copy"
    assert system.read("SELECT status, version FROM workflow_instances WHERE id = %s", job_id) == [("succeeded", 3)]
    assert system.read("SELECT count(*) FROM jobs WHERE parent_id = %s", job_id) == [(2,)]
    assert asyncio.run(_found(system, system.tenant_id)) == {"lease-1", "copy"}


def test_a_template_that_would_make_gigabytes_fails_its_instance_and_holds_up_nobody(system: System) -> None:
    worker = system.start("workers.runtime", "workflow", LEASE_SECONDS="6", HEARTBEAT_SECONDS="1")
    system.dispatcher(LEASE_SECONDS="6")
    template = {f"field_{number:05}.$": "$.text" for number in range(11_000)}
    states = {"Multiply": {"Type": "Pass", "Parameters": template, "End": True}}
    passing = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    large = RunWorkflowStep.model_validate(
        {"definition": {"StartAt": "Multiply", "States": states}, "input": {"text": "x" * 200_000}}
    )
    small = RunWorkflowStep.model_validate({"definition": passing, "input": {}})

    multiplying, *others = system.submit(large, *[small] * 20)
    system.await_all_finished(21)

    assert system.problem(multiplying)["type"].endswith("/data-too-large")
    assert system.timeline(multiplying) == ["job.queued", "job.started", "job.failed"]
    assert {system.state(job_id) for job_id in others} == {"succeeded"}
    assert not worker.said("hasn't turned")


async def _found(system: System, tenant_id: UUID) -> set[str]:
    async with search_engine(system.settings) as engine:
        page = await engine.search(tenant_id, SearchQuery(match=AllTerms(text="march lease")))
        return {hit.document_id for hit in page.results.hits}
