"""Handles TestPrompt: runs the golden tests of a prompt's version, and keeps how they went."""

from collections.abc import Sequence
from itertools import count

from events.ai import PromptTested, Provenance
from infrastructure.ports import Refused
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import ModelRequest
from infrastructure.ports.ai.sizes import MAX_INPUT_TOKENS
from infrastructure.prompts.expectations import unmet
from kinds.run import Run
from schemas.ai import TestPrompt, Tone, WritingLanguage
from schemas.ai.golden_tests import GoldenTestResult, NamedGoldenTest
from schemas.ai.prompts import GIVEN_TO_EVERY_TEMPLATE, RenderedPrompt, RenderedSection
from schemas.problems import Problem
from workers.ai.documents_in_prompt import PromptDocument, documents_in_prompt
from workers.ai.generation.brief import Brief, Place, plan_request, section_request
from workers.ai.generation.planning import PlanUnusable, read_plan
from workers.ai.pipeline.call import ModelCall, ModelReply, PromptUsed
from workers.ai.resources import Resources


async def run_prompt_tests(command: TestPrompt, run: Run, resources: Resources) -> PromptTested:
    """How each test went. A version passes when it passes all. Raises Refused when there is no such version or no test for it.
    Safe to repeat: what was asked before is in the cache."""
    ref = command.prompt
    assert ref.version is not None, "pinned where the tests were asked for"
    tests = await resources.prompt_tests.tests(run.tenant_id, ref)
    if not tests.tests:
        detail = "The prompt has no tests for this version. Add one, and run them again."
        raise Refused(Problem.of("no-tests", "There is nothing to run", 409, detail))
    asking = _Asking(command, run, resources)
    results = []
    for number, test in enumerate(tests.tests):
        run.progress(number / len(tests.tests), f"test {test.name}")
        results.append(await _result(asking, test))
    await resources.prompt_tests.record_tests(run.tenant_id, run.job_id, ref, tests, results)
    return PromptTested(
        prompt=ref.name,
        version=ref.version,
        passed=all(one.passed for one in results),
        results=tuple(results),
        provenance=asking.provenance(ref.name, ref.version),
    )


class _Asking:
    """Asks a model in the name of one run, and notes who answered."""

    def __init__(self, command: TestPrompt, run: Run, resources: Resources) -> None:
        self._command = command
        self._run = run
        self.resources = resources
        self._numbers = count()
        self._replies: list[ModelReply] = []

    async def rendered(self, test: NamedGoldenTest) -> RenderedPrompt:
        rendered, _ = await self.resources.prompts.rendered(self._run.tenant_id, self._command.prompt, test.variables)
        return rendered

    async def ask(self, prompt: RenderedPrompt, request: ModelRequest, digests: Sequence[str]) -> str:
        reply = await self.resources.ask(
            ModelCall(
                tenant_id=self._run.tenant_id,
                purpose=Purpose.TEST,
                request=request,
                models=self._command.models or prompt.models or (),
                job_id=self._run.job_id,
                job_attempt=self._run.attempt,
                kind=self._command.kind,
                section=next(self._numbers),
                prompt=PromptUsed(prompt.name, prompt.version),
                deadline=self._run.deadline,
                max_cost_usd=self._command.max_cost_usd,
                input_digests=tuple(digests),
            )
        )
        self._replies.append(reply)
        return reply.text

    def provenance(self, name: str, version: int) -> Provenance:
        models = dict.fromkeys(one.served_model for one in self._replies)
        return Provenance(prompt=name, prompt_version=version, models=tuple(models))


async def _result(asking: _Asking, test: NamedGoldenTest) -> GoldenTestResult:
    """A test whose variables don't fit the version fails, and the others are run all the same."""
    try:
        prompt = await asking.rendered(test)
    except Refused as refused:
        reasons = tuple(f"{one.pointer}: {one.detail}" for one in refused.problem.errors)
        return GoldenTestResult(test=test.name, passed=False, reasons=reasons or (refused.problem.detail,))
    try:
        reasons = unmet(test, await _written(asking, test, prompt))
    except PlanUnusable as unusable:
        reasons = (f"its plan can't be used: {unusable}",)
    return GoldenTestResult(test=test.name, passed=not reasons, reasons=reasons)


async def _written(asking: _Asking, test: NamedGoldenTest, prompt: RenderedPrompt) -> str:
    """The document as it would be written, a heading and a text for each section."""
    brief = _brief(test, prompt)
    digests = brief.documents.digests
    outline: Sequence[RenderedSection] = prompt.sections
    if not outline:
        outline = read_plan(await asking.ask(prompt, plan_request(brief), digests))
    parts: list[str] = []
    for number, section in enumerate(outline):
        before = parts[-1] if parts else ""
        text = await asking.ask(prompt, section_request(brief, Place(number, outline, before)), digests)
        parts += [section.heading, text]
    return "\n\n".join(parts)


def _brief(test: NamedGoldenTest, prompt: RenderedPrompt) -> Brief:
    given = GIVEN_TO_EVERY_TEMPLATE | {name: str(value) for name, value in test.variables.items()}
    inputs = [PromptDocument(f"input-{number}", None, text) for number, text in enumerate(test.inputs, start=1)]
    return Brief(
        given["title"],
        WritingLanguage(given["language"]),
        Tone(given["tone"]),
        prompt,
        documents_in_prompt(inputs, max_tokens=MAX_INPUT_TOKENS),
    )
