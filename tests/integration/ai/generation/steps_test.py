"""Writing from a prompt, section after section, by the offline model in its child process; and by scripted answers, where it
matters what a model does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest
from pydantic import SecretStr

from bucatini.testing import RecordedRun
from events.ai import DocumentGenerated, Method, SectionCompleted, SectionReset
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.response import FinishReason
from infrastructure.settings import Settings
from schemas.ai import GenerateDocument, PromptRef
from schemas.ai.prompts import RenderedPrompt, RenderedSection
from schemas.model import FreeJson
from tests.tenancy import make_tenant
from workers.ai.generation.document import generate_document
from workers.ai.pipeline.call import ModelCall, ModelReply
from workers.ai.resources import Resources, resources

NO_SERVERS = Settings(
    database_url=SecretStr("postgresql://127.0.0.1:1/nowhere"), redis_url=SecretStr("redis://127.0.0.1:1/0")
)
COMMAND = GenerateDocument(title="Notice of rent", prompt=PromptRef(name="notice", version=1), facts={"rent": "EUR 5"})
PROMPT = RenderedPrompt(
    name="notice",
    version=1,
    industry=None,
    system="You write notices.",
    outline=None,
    sections=(
        RenderedSection(heading="Rent", instruction="The rent of the warehouse in Hamburg is EUR 1,250.00 a month."),
        RenderedSection(heading="Notice", instruction="Either party ends the lease with six months' written notice."),
    ),
    models=None,
    max_output_tokens=None,
    temperature=None,
)
OUTLINED = PROMPT.model_copy(
    update={"sections": (), "outline": "The rent of the warehouse is EUR 5. The notice period is six months."}
)


@dataclass
class OnePrompt:
    prompt: RenderedPrompt
    exposures: list[UUID] = field(default_factory=list)

    async def rendered(
        self, tenant_id: UUID, ref: PromptRef, variables: Mapping[str, FreeJson], *, job_id: UUID | None = None
    ) -> tuple[RenderedPrompt, tuple[str, ...]]:
        return self.prompt, tuple(variables)

    async def exposed(self, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
        self.exposures.append(job_id)


@dataclass
class ScriptedModel:
    """In place of the pipeline: gives these answers in turn, and keeps what it was asked."""

    answers: list[str | Exception | FinishReason]
    asked: list[ModelCall] = field(default_factory=list)

    async def __call__(self, call: ModelCall) -> ModelReply:
        self.asked.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        finish = answer if isinstance(answer, FinishReason) else FinishReason.STOP
        text = "cut " if isinstance(answer, FinishReason) else answer
        if call.listener is not None:
            call.listener.write(text)
        return ModelReply(text, finish, "anthropic", "claude-sonnet-5-5", "claude-sonnet-5-5", attempts=())


Work = Callable[[Resources, RecordedRun], Awaitable[None]]


class Writing(Protocol):
    def __call__(self, work: Work, prompt: RenderedPrompt = PROMPT) -> None: ...


@pytest.fixture
def writing(database_url: str, redis_url: str, tmp_path: Path) -> Writing:
    """Does the work with what a worker has, and with a run of a tenant's job."""
    settings = Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), bucatini_home=tmp_path)
    job = RecordedRun(tenant_id=make_tenant(database_url))

    def do(work: Work, prompt: RenderedPrompt = PROMPT) -> None:
        async def run() -> None:
            async with resources(settings) as shared, asyncio.timeout(120):
                await work(replace(shared, prompts=OnePrompt(prompt)), job)

        asyncio.run(run())

    return do


def sections_of(run: RecordedRun) -> Sequence[SectionCompleted]:
    return [one for one in run.recorded if isinstance(one, SectionCompleted)]


def live(run: RecordedRun, section: int) -> str:
    return "".join(text for number, _, text in run.written if number == section)


def test_the_offline_model_writes_each_section_live_and_the_result_says_who_wrote_it(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        result = await generate_document(COMMAND, run, shared)

        assert isinstance(result, DocumentGenerated)
        assert (result.provider.name, result.provider.method) == ("offline", Method.EXTRACTIVE)
        assert result.document == (
            "# Notice of rent\n\n## Rent\n\nThe rent of the warehouse in Hamburg is EUR 1,250.00 a month.\n\n"
            "## Notice\n\nEither party ends the lease with six months' written notice.\n"
        )
        assert (result.provenance.prompt, result.provenance.prompt_version) == ("notice", 1)
        assert [(one.section, one.of, one.heading) for one in sections_of(run)] == [(0, 2, "Rent"), (1, 2, "Notice")]
        assert live(run, 1) == result.sections[1].text
        fractions = [fraction for fraction, _ in run.reports]
        assert fractions == sorted(fractions)
        assert result.unused_facts == ("rent",)

    writing(work)


def test_without_sections_of_the_prompt_they_are_planned_once(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        first = await generate_document(COMMAND, run, shared)
        again = await generate_document(COMMAND, RecordedRun(job_id=run.job_id, tenant_id=run.tenant_id), shared)

        assert first.sections
        assert again.sections == first.sections

    writing(work, OUTLINED)


def test_a_plan_that_cannot_be_used_is_asked_for_once_more_and_then_refused(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["nonsense", '{"sections": []}'])
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, run, replace(shared, ask=model))

        assert refused.value.problem.name == "plan-unusable"
        assert [call.purpose for call in model.asked] == [Purpose.PLAN, Purpose.PLAN]
        assert "isn't JSON" in model.asked[1].request.messages[-1].passages[-1].text

    writing(work, OUTLINED)


def test_a_retry_asks_for_nothing_that_is_finished_and_records_only_what_is_missing(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["One.", Unavailable("every model is down")])
        with pytest.raises(Unavailable):
            await generate_document(COMMAND, run, replace(shared, ask=model))
        model.answers = ["Two."]
        run.attempt = 2
        result = await generate_document(COMMAND, run, replace(shared, ask=model))

        assert [one.text for one in result.sections] == ["One.", "Two."]
        assert [call.section for call in model.asked] == [0, 1, 1]
        assert [one.section for one in sections_of(run)] == [0, 1]
        resets = [one for one in run.recorded if isinstance(one, SectionReset)]
        assert [(one.section, one.error) for one in resets] == [(1, "interrupted")]

        run.recorded.pop()  # As after a crash between the last checkpoint and its event.
        await generate_document(COMMAND, run, replace(shared, ask=model))
        assert [one.section for one in sections_of(run)] == [0, 1]

    writing(work)


def test_a_job_that_is_replayed_with_another_command_begins_anew(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["One.", "Two.", "Uno.", Unavailable("down")])
        await generate_document(COMMAND, run, replace(shared, ask=model))
        edited = COMMAND.model_copy(update={"title": "Aviso"})
        with pytest.raises(Unavailable):
            await generate_document(edited, run, replace(shared, ask=model))
        model.answers = ["Dos."]
        result = await generate_document(edited, run, replace(shared, ask=model))

        assert [one.text for one in result.sections] == ["Uno.", "Dos."]
        assert [one.text for one in sections_of(run)] == ["One.", "Two.", "Uno.", "Dos."]

    writing(work)


def test_later_sections_know_the_ones_before_and_begin_with_the_same_texts(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["The rent is EUR 1,250.00.", "Two."])
        await generate_document(COMMAND, run, replace(shared, ask=model))

        first, second = (call.request.messages[-1].passages for call in model.asked)
        assert model.asked[0].request.system == model.asked[1].request.system
        assert first[0] == second[0]
        assert first[0].cache_after
        assert "1. Rent\n2. Notice" in first[0].text
        assert "The rent is EUR 1,250.00." in second[1].text
        assert second[-1].text.startswith("Notice\n\nEither party")

    writing(work)


def test_a_section_that_was_cut_is_gone_on_with_and_refused_when_it_never_ends(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel([FinishReason.MAX_TOKENS, "and whole.", "Two."])
        result = await generate_document(COMMAND, run, replace(shared, ask=model))

        assert result.sections[0].text == "cut and whole."
        assert live(run, 0) == "cut and whole."
        assert [offset for number, offset, _ in run.written if number == 0] == [0, 3]
        endless = ScriptedModel([FinishReason.MAX_TOKENS] * 9)
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, RecordedRun(tenant_id=run.tenant_id), replace(shared, ask=endless))
        assert refused.value.problem.name == "section-cut"
        assert len(endless.asked) == 4

    writing(work)


def test_a_limit_of_the_prompt_is_kept_to(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel([FinishReason.MAX_TOKENS])
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, run, replace(shared, ask=model))

        assert model.asked[0].request.max_output_tokens == 7
        assert "max_output_tokens" in refused.value.problem.detail

    writing(work, PROMPT.model_copy(update={"max_output_tokens": 7}))


def test_an_empty_section_is_asked_for_once_more_past_the_cache_and_then_refused(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["", " \n"])
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, run, replace(shared, ask=model))

        assert refused.value.problem.name == "nothing-written"
        assert [call.tried for call in model.asked] == [0, 1]

    writing(work)


def test_a_document_that_grows_too_long_is_refused_before_more_is_paid_for(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        model = ScriptedModel(["x" * 60_000])
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, run, replace(shared, ask=model))

        assert refused.value.problem.name == "document-too-long"
        assert len(model.asked) == 1

    writing(work)


def test_a_failover_resets_the_section_for_its_readers(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:

        async def failing_over(call: ModelCall) -> ModelReply:
            assert call.listener is not None
            call.listener.write("half of")
            await call.listener.restart("gpt-6-luna", "cut_short")
            return await ScriptedModel(["the whole"])(call)

        await generate_document(COMMAND, run, replace(shared, ask=failing_over))
        assert [one.error for one in run.recorded if isinstance(one, SectionReset)] == ["cut_short", "cut_short"]
        assert run.written[:2] == [(0, 0, "half of"), (0, 0, "the whole")]

    writing(work)


def test_a_prompt_without_sections_is_refused(writing: Writing) -> None:
    async def work(shared: Resources, run: RecordedRun) -> None:
        with pytest.raises(Refused) as refused:
            await generate_document(COMMAND, run, shared)
        assert refused.value.problem.name == "prompt-without-sections"

    writing(work, OUTLINED.model_copy(update={"outline": None}))
