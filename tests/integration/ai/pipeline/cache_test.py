"""The same question is answered once: from the cache, or together with whoever asks it right now."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import redis
from pydantic import SecretStr

from infrastructure.redis.models import answers
from infrastructure.settings import Settings
from tests.model_calls import Reader, opened, question
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from tests.waiting import wait_until
from workers.ai.pipeline.call import CacheOutcome

pytestmark = pytest.mark.anyio


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


async def test_a_question_is_asked_once_and_its_answer_costs_nothing_again(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    async with opened(settings) as models:
        first = await models.ask(question(tenant_id, "What is said?"))
        await _kept(settings)
        again = await models.ask(question(tenant_id, "What is said?"))

    assert (again.text, again.cache) == (first.text, CacheOutcome.HIT)
    assert [(one.outcome, one.cost_usd) for one in again.attempts] == [("cached", Decimal(0))]
    assert len(simulator.ended(key)) == 1


@pytest.mark.parametrize(
    "change",
    [{"max_output_tokens": 400}, {"stop": ("END",)}, {"input_digests": ("other",)}, {"schema": {"type": "object"}}],
)
async def test_whatever_differs_is_another_question(
    settings: Settings, tenant_id: UUID, change: dict[str, Any]
) -> None:
    async with opened(settings) as models:
        await models.ask(question(tenant_id, "What is said?"))
        await _kept(settings)
        other = await models.ask(question(tenant_id, "What is said?", **change))

    assert other.cache is CacheOutcome.MISS


async def test_no_tenant_gets_anothers_answer(settings: Settings, tenant_id: UUID) -> None:
    async with opened(settings) as models:
        await models.ask(question(tenant_id, "What is said?"))
        await _kept(settings)
        other = await models.ask(question(make_tenant(settings.database), "What is said?"))

    assert other.cache is CacheOutcome.MISS


async def test_an_abridged_answer_is_not_kept(settings: Settings, tenant_id: UUID) -> None:
    async with opened(settings) as models:
        first = await models.ask(question(tenant_id, "Go on and on.", max_output_tokens=3))
        again = await models.ask(question(tenant_id, "Go on and on.", max_output_tokens=3))

    assert first.finish_reason == "max_tokens"
    assert again.cache is CacheOutcome.MISS


async def test_nothing_of_a_question_or_an_answer_can_be_read_in_redis(settings: Settings, tenant_id: UUID) -> None:
    async with opened(settings) as models:
        reply = await models.ask(question(tenant_id, "Where is the lighthouse keeper Ottoline?"))
        await _kept(settings)

    everything = b"\n".join(_dumped(settings))
    assert len(everything) > 100
    for word in (*reply.text.split(), "lighthouse", "Ottoline", reply.model):
        assert len(word) < 6 or word.encode() not in everything


async def test_a_tenants_answers_are_bounded_in_number(settings: Settings, tenant_id: UUID) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers.SealedAnswers.__init__, "__kwdefaults__", {"kept_seconds": 60.0, "max_answers": 3})
        async with opened(settings) as models:
            for number in range(5):
                await models.ask(question(tenant_id, f"Question {number}?"))
    with redis.Redis.from_url(settings.redis) as client:
        assert len(client.keys("bucatini:answer:*")) == 3
        assert all(client.pttl(name) > 0 for name in client.keys("bucatini:answer*"))


async def test_concurrent_questions_share_one_call_and_each_reads_along(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "trickle", seconds=0.02)
    readers = [Reader() for _ in range(20)]
    async with opened(settings) as models:
        leader = asyncio.ensure_future(models.ask(question(tenant_id, "Tell me all.", listener=readers[0])))
        await readers[0].began.wait()
        late = [
            asyncio.ensure_future(models.ask(question(tenant_id, "Tell me all.", listener=one))) for one in readers[1:]
        ]
        await readers[-1].began.wait()
        assert not leader.done(), "who comes late reads what is written, while it is written"
        replies = await asyncio.gather(leader, *late)

    assert {reply.text for reply in replies} == {one.text for one in readers}
    assert [reply.cache for reply in replies[1:]] == [CacheOutcome.SHARED] * 19
    assert len(simulator.ended(key)) == 1


async def test_a_leader_that_is_cancelled_hands_over(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "trickle", seconds=0.05)
    readers = [Reader() for _ in range(3)]
    async with opened(settings) as models:
        leader, *others = [
            asyncio.ensure_future(models.ask(question(tenant_id, "Tell me all.", listener=one))) for one in readers
        ]
        await readers[-1].began.wait()
        leader.cancel()
        replies = await asyncio.gather(*others)

    assert replies[0].text == replies[1].text == readers[1].text == readers[2].text
    assert [one.restarts for one in readers[1:]] == [[("", "abandoned")]] * 2
    assert len(simulator.ended(key)) == 2


async def test_each_asks_for_itself_when_the_shared_call_fails(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "bad_request")
    async with opened(settings) as models:
        outcomes = await asyncio.gather(
            *(models.ask(question(tenant_id, "Tell me all.")) for _ in range(4)), return_exceptions=True
        )

    assert sorted(type(one).__name__ for one in outcomes) == ["ModelReply"] * 3 + ["Refused"]


async def _kept(settings: Settings) -> None:
    """Returns once an answer is kept."""
    with redis.Redis.from_url(settings.redis) as client:
        await asyncio.to_thread(wait_until, lambda: client.keys("bucatini:answer:*"), "an answer is kept")


def _dumped(settings: Settings) -> list[bytes]:
    with redis.Redis.from_url(settings.redis) as client:
        found = []
        for name in client.scan_iter("*"):
            if name.startswith(b"bucatini:models:"):
                continue  # Numbers, under names such as a simulated model may write.
            found.append(name)
            match client.type(name):
                case b"string":
                    found.append(client.get(name))
                case b"zset":
                    found.extend(client.zrange(name, 0, -1))
                case b"hash":
                    found.extend(piece for pair in client.hgetall(name).items() for piece in pair)
                case b"list":
                    found.extend(client.lrange(name, 0, -1))
        return found
