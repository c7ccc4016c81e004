"""Calls of simulated models, and how they fail."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.ports.ai.errors import ModelError
from infrastructure.ports.ai.request import Deadlines, ModelRequest, user
from infrastructure.ports.ai.response import ModelEvent
from tests.simulated_providers import Simulated, SimulatedProviders

DOCUMENT = "The tenant's name is Ada Lovelace and she owes 4,711 pounds."
GENEROUS = Deadlines(connect_seconds=30, first_token_seconds=60, idle_seconds=60, total_seconds=60)


def request_to(one: Simulated, deadlines: Deadlines = GENEROUS) -> ModelRequest:
    return ModelRequest(one.model, (user(DOCUMENT),), 200, deadlines=deadlines)


async def streamed_into(one: Simulated, request: ModelRequest, seen: list[ModelEvent]) -> None:
    async with aclosing(one.provider.stream(request)) as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401  # What came before a failure counts too.


async def ended(simulator: SimulatedProviders, key: SecretStr) -> list[dict[str, Any]]:
    # Off the event loop, on which connections are closed meanwhile.
    return await asyncio.to_thread(simulator.ended, key)


async def failure_of(one: Simulated, *, streamed: bool, deadlines: Deadlines = GENEROUS) -> ModelError:
    request = request_to(one, deadlines)
    with pytest.raises(ModelError) as failed:
        await (streamed_into(one, request, []) if streamed else one.provider.complete(request))
    return failed.value
