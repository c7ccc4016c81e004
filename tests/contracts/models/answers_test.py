"""What every provider of models promises: the offline one, OpenAI, Anthropic, and a compatible server."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.offline.model import OfflineModel
from infrastructure.ports import Processors
from infrastructure.ports.ai.errors import BadRequest
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.request import Lane, Message, ModelRequest, Passage, Role, user
from infrastructure.ports.ai.response import Finished, FinishReason, ModelEvent, Started, TextDelta, UsageReported
from tests.simulated_providers import ANTHROPIC, COMPATIBLE, OPENAI, SimulatedProviders, simulated

pytestmark = pytest.mark.anyio

SECRET = "Ada Lovelace owes 4,711 pounds."
TEXT = f"""The tenant pays the rent on the first of each month. The landlord keeps the roof and the walls in repair. {SECRET}
Either party may end the lease with three months' notice in writing. The deposit is paid back within thirty days of the
end. All notices go to the address that stands at the top of this lease, until another is named in writing."""
SCHEMA = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "parties": {"type": "array", "items": {"type": "string"}},
        "urgent": {"type": "boolean"},
    },
    "required": ["summary", "parties", "urgent"],
    "additionalProperties": False,
}


class Adapter:
    def __init__(self, provider: ModelProvider, model: str) -> None:
        self.provider = provider
        self.model = model

    def request(self, max_output_tokens: int = 400, **fields: object) -> ModelRequest:
        known: dict[str, object] = {"model": self.model, "messages": (user(TEXT),), **fields}
        return ModelRequest(max_output_tokens=max_output_tokens, **known)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
async def processors() -> AsyncIterator[Processors]:
    """One child for all tests: what it needs to answer, it loads for a second."""
    async with processor_pool(1) as pool:
        yield pool


@pytest.fixture(params=["offline", OPENAI, ANTHROPIC, COMPATIBLE])
async def adapter(
    request: pytest.FixtureRequest, processors: Processors, simulator: SimulatedProviders, tmp_path: Path
) -> AsyncIterator[Adapter]:
    if request.param == "offline":
        yield Adapter(OfflineModel(processors), request.param)
        return
    one = simulated(request.param, simulator.url, tmp_path)
    yield Adapter(one.provider, one.model)
    await one.provider.close()


async def _events(adapter: Adapter, request: ModelRequest) -> list[ModelEvent]:
    async with aclosing(adapter.provider.stream(request)) as events:
        return [event async for event in events]


async def test_an_answer_names_who_wrote_it_and_what_it_used(adapter: Adapter) -> None:
    response = await adapter.provider.complete(adapter.request())

    assert (response.provider, response.model) == (adapter.provider.name, adapter.model)
    assert response.text.strip()
    assert response.served_model
    assert response.finish_reason is FinishReason.STOP
    assert response.usage.counts is not None
    assert response.usage.counts.input_tokens > 50
    assert response.usage.counts.output_tokens > 5
    assert response.usage.raw


async def test_a_stream_starts_brings_text_and_usage_and_finishes_last(adapter: Adapter) -> None:
    events = await _events(adapter, adapter.request())

    assert isinstance(events[0], Started)
    last = events[-1]
    assert isinstance(last, Finished)
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == last.response.text
    usages = [one.usage for one in events if isinstance(one, UsageReported)]
    assert usages[-1] == last.response.usage
    assert sum(isinstance(one, Finished) for one in events) == 1


async def test_the_same_request_is_answered_the_same_streamed_or_not(adapter: Adapter) -> None:
    complete = await adapter.provider.complete(adapter.request())
    last = (await _events(adapter, adapter.request()))[-1]

    assert isinstance(last, Finished)
    assert (last.response.text, last.response.usage.counts) == (complete.text, complete.usage.counts)


async def test_an_answer_at_its_limit_says_that_it_is_only_a_beginning(adapter: Adapter) -> None:
    whole = await adapter.provider.complete(adapter.request())
    cut = await adapter.provider.complete(adapter.request(max_output_tokens=5))

    assert cut.finish_reason is FinishReason.MAX_TOKENS
    assert whole.text.startswith(cut.text.rstrip("."))
    assert cut.usage.counts is not None
    assert cut.usage.counts.output_tokens <= 5


async def test_a_schema_is_answered_with_json_that_meets_it(adapter: Adapter) -> None:
    response = await adapter.provider.complete(adapter.request(schema=SCHEMA))
    found = json.loads(response.text)

    assert set(found) == {"summary", "parties", "urgent"}
    assert isinstance(found["summary"], str)
    assert all(isinstance(one, str) for one in found["parties"])
    assert isinstance(found["urgent"], bool)


async def test_a_conversation_with_a_system_prompt_is_taken(adapter: Adapter) -> None:
    said = (user("What is due?"), Message(Role.ASSISTANT, (Passage("Say for which lease."),)), user(TEXT))
    response = await adapter.provider.complete(
        adapter.request(messages=said, system=(Passage("Answer briefly.", cache_after=True),))
    )

    assert response.text.strip()


async def test_a_parameter_that_the_model_refuses_is_left_out(adapter: Adapter) -> None:
    response = await adapter.provider.complete(adapter.request(temperature=0.2, stop=("never written",)))

    assert response.finish_reason is FinishReason.STOP


async def test_more_text_counts_more_tokens(adapter: Adapter) -> None:
    short = await adapter.provider.count_tokens(adapter.request())
    long = await adapter.provider.count_tokens(adapter.request(messages=(user(TEXT * 3),)))

    assert 50 < short < long


async def test_a_well_provider_lists_its_models_and_is_healthy(adapter: Adapter) -> None:
    listed = await adapter.provider.list_models()
    health = await adapter.provider.health()

    assert listed
    assert health.ok
    assert health.error is None


async def test_a_lane_without_calls_is_refused_before_anything_is_sent(adapter: Adapter) -> None:
    with pytest.raises(BadRequest) as refused:
        await adapter.provider.complete(adapter.request(lane=Lane.BATCH))

    assert not refused.value.failure.accepted
    assert refused.value.failure.status is None


async def test_neither_the_question_nor_the_answer_gets_into_a_log_line(adapter: Adapter) -> None:
    request = adapter.request(system=(Passage(SECRET),), schema={**SCHEMA, "title": SECRET})
    events = await _events(adapter, request)
    last = events[-1]

    assert isinstance(last, Finished)
    shown = repr(request) + repr(events)
    assert SECRET not in shown
    assert last.response.text not in shown
