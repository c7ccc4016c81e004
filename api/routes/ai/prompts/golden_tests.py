"""A prompt's golden tests: shows, sets and removes them, runs them as a job, and shows how runs went."""

from typing import Annotated

from pydantic import Field
from uuid_utils.compat import uuid7

from api.endpoint import Call, Empty
from api.http import problems, prompt_problems
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.ai.prompts.addressing import WHAT, found_version, test_in
from api.routes.ai.prompts.reads import existing
from api.routes.commands import JobOptionsQuery, accept
from infrastructure.key_vault.cells import prompt_test_cell
from infrastructure.postgres.keys.sealing import write_sealed
from infrastructure.postgres.prompts import golden_tests
from infrastructure.postgres.prompts.additions import find_locked
from infrastructure.postgres.session import Connection
from schemas.ai.golden_tests import (
    MAX_GOLDEN_TESTS,
    GoldenTest,
    GoldenTests,
    NamedGoldenTest,
    PromptTestRuns,
    TestPrompt,
    TestRequest,
)
from schemas.ai.prompts import PromptRef, PromptVersionNumber
from schemas.model import Model
from schemas.problems import FieldProblem


class RunsQuery(Model):
    version: PromptVersionNumber | None = None
    """Only of this version."""
    limit: Annotated[int, Field(ge=1, le=golden_tests.MAX_RUNS)] = 20


async def list_tests(call: Call[Empty, Empty]) -> Answer:
    prompt = await existing(call)
    sealer = call.ingress.sealer
    found = await call.db.run(golden_tests.all_tests, prompt.name)
    tests = [await golden_tests.opened_test(sealer, call.tenant_id, one) for one in found]
    return json_answer(200, GoldenTests(tests=tuple(tests)), UNSHARED)


async def show_test(call: Call[Empty, Empty]) -> Answer:
    prompt = await existing(call)
    found = await call.db.run(golden_tests.one_test, prompt.name, test_in(call))
    if found is None:
        raise problems.not_found("test")
    return json_answer(200, await golden_tests.opened_test(call.ingress.sealer, call.tenant_id, found), UNSHARED)


async def set_test(call: Call[GoldenTest, Empty]) -> Answer:
    """200 with the test. Repeating it is safe, but for runs, which count for the tests as they were."""
    await existing(call)
    name, test, body, tenant_id, cell = call.path["name"], test_in(call), call.body, call.tenant_id, str(uuid7())

    async def write(connection: Connection, content: bytes) -> NamedGoldenTest:
        if await find_locked(connection, tenant_id, name) is None:
            raise problems.not_found(WHAT)
        if await golden_tests.count_others(connection, tenant_id, name, test) >= MAX_GOLDEN_TESTS:
            raise prompt_problems.too_many_of_a_prompt("tests", MAX_GOLDEN_TESTS)
        at = await golden_tests.set_test(connection, tenant_id, name, test, body.industry, cell, content)
        return NamedGoldenTest(name=test, updated_at=at, **dict(body))

    place = prompt_test_cell(tenant_id, cell)
    stored = await write_sealed(call.ingress.pool, call.ingress.sealer, place, body.model_dump_json(), write)
    return json_answer(200, stored)


async def remove_test(call: Call[Empty, Empty]) -> Answer:
    prompt = await existing(call)
    if not await call.db.run(golden_tests.remove_test, prompt.name, test_in(call)):
        raise problems.not_found("test")
    return Answer(204)


async def list_runs(call: Call[Empty, RunsQuery]) -> Answer:
    prompt, query = await existing(call), call.query
    found = await call.db.run(golden_tests.runs, prompt.name, version=query.version, limit=query.limit)
    return json_answer(200, PromptTestRuns(runs=tuple(found)), UNSHARED)


async def run_tests(call: Call[TestRequest, Empty]) -> Answer:
    """202 with the job once it is committed; 200 when the client waited (`Prefer: wait`) and it has ended."""
    prompt, wanted = await existing(call), call.body
    number = wanted.version or prompt.newest_version
    try:
        version = await found_version(call, prompt.name, number)
    except problems.Refusal:
        flaw = FieldProblem(pointer="/version", detail="the prompt has no such version")
        raise problems.invalid_fields([flaw]) from None
    tests = await call.db.run(golden_tests.all_tests, prompt.name)
    if not golden_tests.that_apply(tests, version.industry):
        raise prompt_problems.untestable(prompt.name)
    command = TestPrompt(
        prompt=PromptRef(name=prompt.name, version=number), models=wanted.models, max_cost_usd=wanted.max_cost_usd
    )
    return await accept(
        Call(
            ingress=call.ingress,
            principal=call.principal,
            path=call.path,
            query=JobOptionsQuery(),
            body=command,
            headers=call.headers,
            correlation_id=call.correlation_id,
            trace=call.trace,
        )
    )
