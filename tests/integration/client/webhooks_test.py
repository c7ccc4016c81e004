"""Webhooks by the Python client, blocking and for asyncio."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from producers.client import AsyncBucatini, Bucatini, ProblemAnswer
from schemas.webhooks import DeliveryState, WebhookRequest
from tests.integration.serving import World

WANTED = WebhookRequest(url="https://8.8.8.8/hook", types=("ai.*",))
SINCE = datetime.now(UTC) - timedelta(days=1)


def test_the_blocking_client_does_all_there_is(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        made = client.webhooks.create(WANTED)
        assert made.secret.startswith("whsec_")
        assert [one.id for one in client.webhooks.list()] == [made.id]
        assert client.webhooks.replace(made.id, WANTED.model_copy(update={"paused": True})).paused_because == "owner"
        tried = client.webhooks.test(made.id)
        assert (tried.state, list(client.webhooks.deliveries(made.id))) == (DeliveryState.WAITING, [tried])
        assert client.webhooks.redeliver(made.id, tried.id) == tried
        assert client.webhooks.redeliver_failed(made.id, SINCE) == 0
        assert client.webhooks.rotate_secret(made.id).secret != made.secret
        client.webhooks.delete(made.id)
        with pytest.raises(ProblemAnswer, match="no such webhook"):
            client.webhooks.get(made.id)


def test_the_async_client_does_the_same(world: World) -> None:
    async def use() -> None:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            made = await client.webhooks.create(WANTED)
            assert await client.webhooks.list() == (await client.webhooks.get(made.id),)
            assert (await client.webhooks.replace(made.id, WANTED.model_copy(update={"paused": True}))).paused_at
            tried = await client.webhooks.test(made.id)
            assert [one async for one in client.webhooks.deliveries(made.id)] == [tried]
            assert await client.webhooks.redeliver(made.id, tried.id) == tried
            assert await client.webhooks.redeliver_failed(made.id, SINCE) == 0
            assert (await client.webhooks.rotate_secret(made.id)).secret != made.secret
            await client.webhooks.delete(made.id)
            assert await client.webhooks.list() == ()

    asyncio.run(use())
