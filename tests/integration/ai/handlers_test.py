"""The AI pool's handlers as a worker opens them, with the offline model: real child processes, real documents, a real ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bucatini.testing import RecordedRun
from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed, Method
from events.envelope import DomainEvent
from infrastructure.ports import Refused
from infrastructure.settings import Settings, load
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.commands import Command
from tests.tenancy import make_tenant
from tests.unit.infrastructure.offline.samples import NAMES, sample
from workers.runtime.handler import Handler
from workers.runtime.pools import bind, jobs_of

Perform = Callable[[Command], Awaitable[DomainEvent]]


InAWorker = Callable[[Callable[[Callable[[Command], Awaitable[Any]], RecordedRun], Awaitable[None]]], None]


@pytest.fixture
def in_a_worker(database_url: str, redis_url: str, home: Path) -> InAWorker:
    settings = load({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "BUCATINI_HOME": str(home)})
    tenant_id = make_tenant(settings.database)
    return lambda work: worked(settings, tenant_id, work)


def worked(
    settings: Settings,
    tenant_id: UUID,
    work: Callable[[Callable[[Command], Awaitable[Any]], RecordedRun], Awaitable[None]],
) -> None:
    async def run() -> None:
        recorded = RecordedRun(tenant_id=tenant_id)
        async with bind(jobs_of("ai"))(settings) as opened, asyncio.timeout(120):
            by_kind = {handler.kind: handler for handler in opened if isinstance(handler, Handler)}
            await work(lambda command: by_kind[command.kind].handle(command, recorded), recorded)

    asyncio.run(run())


def test_every_sample_is_processed_and_says_who_did_it(in_a_worker: InAWorker) -> None:
    async def work(perform: Callable[[Command], Awaitable[Any]], run: RecordedRun) -> None:
        commands = [ProcessDocument(title=name, text=sample(name), document_id=name) for name in NAMES]
        results = await asyncio.gather(*(perform(command) for command in commands))

        assert all(isinstance(result, DocumentProcessed) for result in results)
        assert [result.document_id for result in results] == NAMES
        assert {(result.provider.name, result.provider.method) for result in results} == {
            ("offline", Method.EXTRACTIVE)
        }
        for result in results:
            assert all((result.dates, result.amounts, result.parties, result.summary, result.key_phrases))
            assert DocumentProcessed.model_validate_json(result.model_dump_json()) == result

    in_a_worker(work)


def test_progress_only_rises_and_names_each_step(in_a_worker: InAWorker) -> None:
    async def work(perform: Callable[[Command], Awaitable[Any]], run: RecordedRun) -> None:
        await perform(ProcessDocument(title="Lease", text=sample("commercial-lease.txt")))

        fractions = [fraction for fraction, _ in run.reports]
        assert fractions == sorted(fractions)
        assert [message for _, message in run.reports] == [
            "language",
            "1 of 1 parts are read",
            "putting the findings together",
        ]

    in_a_worker(work)


def test_a_given_language_is_not_detected(in_a_worker: InAWorker) -> None:
    async def work(perform: Callable[[Command], Awaitable[Any]], run: RecordedRun) -> None:
        text = "The rent is due on 04/05/2026 and the tenant shall pay it."
        detected = await perform(ProcessDocument(title="Note", text=text))
        given = await perform(ProcessDocument(title="Note", text=text, language="fr-CH"))

        assert (detected.language.code, detected.dates[0].iso) == ("en", None)
        assert (given.language.code, given.dates[0].iso) == ("fr", "2026-05-04")

    in_a_worker(work)


def test_a_generated_document_is_one_markdown_text_of_its_sections(in_a_worker: InAWorker) -> None:
    async def work(perform: Callable[[Command], Awaitable[Any]], run: RecordedRun) -> None:
        command = GenerateDocument.model_validate(
            {
                "title": "Order",
                "sections": [{"heading": "Price", "text": "{{ fee | money: 'EUR' }}"}],
                "facts": {"fee": 5},
            }
        )
        result = await perform(command)

        assert isinstance(result, DocumentGenerated)
        assert result.document == "# Order\n\n## Price\n\n€5.00\n"
        assert (result.provider.method, result.tone) == (Method.TEMPLATE, None)
        with pytest.raises(Refused) as refused:
            await perform(command.model_copy(update={"facts": {}}))
        assert refused.value.problem.errors[0].pointer == "/facts/fee"

    in_a_worker(work)


def test_only_the_requested_analyses_are_run(in_a_worker: InAWorker) -> None:
    async def work(perform: Callable[[Command], Awaitable[Any]], run: RecordedRun) -> None:
        result = await perform(
            AnalyzeContent.model_validate(
                {
                    "text": sample("commercial-lease.txt"),
                    "reference": sample("commercial-lease.txt").replace("£31,200", "£33,000"),
                    "analyses": ["comparison", "risk_terms"],
                }
            )
        )

        assert isinstance(result, ContentAnalyzed)
        assert result.provider.method is Method.RULES
        assert (result.readability, result.sentiment) == (None, None)
        assert result.risk is not None
        assert result.risk.by_category["indemnity"] == 1
        assert result.comparison is not None
        (change,) = result.comparison.changed
        assert ("£33,000" in change.before.text, "£31,200" in change.after.text) == (True, True)

    in_a_worker(work)
