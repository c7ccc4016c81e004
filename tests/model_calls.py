"""The pipeline as tests use it: the real one, between a real PostgreSQL, a real Redis and the provider simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID, uuid4

from pydantic import SecretStr

from infrastructure.concurrency import watched
from infrastructure.model_registry.registry import load
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import ModelRequest, user
from infrastructure.settings import Settings
from infrastructure.wiring import keyring
from workers.ai.pipeline.call import ModelCall
from workers.ai.pipeline.opening import Models, open_models

P = ParamSpec("P")
T = TypeVar("T")
MODEL = "gpt-6-luna"


class OnTheLoop:
    """Processors for an offline model that computes little."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)


def new_key() -> SecretStr:
    return SecretStr(f"sk-test-{uuid4().hex}")


def settings_for(
    database_url: str, redis_url: str, folder: Path, simulator_url: str, key: SecretStr, **more: Any
) -> Settings:
    """A deployment whose providers are the simulator's."""
    return Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        bucatini_home=folder,
        openai_base_url=f"{simulator_url}/v1",
        openai_api_key=key,
        anthropic_base_url=simulator_url,
        anthropic_api_key=key,
        ai_models=(MODEL,),
        **more,
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Models]:
    """The pipeline, with what keeps it up running."""
    async with (
        keyring(settings) as sealer,
        open_models(settings, load(settings.ai_models_file), OnTheLoop(), sealer) as models,
    ):
        loops = [watched.start(_repeat(loop.step, loop.period_seconds), loop.name) for loop in models.loops]
        try:
            yield models
        finally:
            for loop in loops:
                loop.cancel()


async def _repeat(step: Callable[[], Any], seconds: float) -> None:
    while True:
        await step()
        await asyncio.sleep(seconds)


def question(tenant_id: UUID, text: str, *, purpose: Purpose = Purpose.SECTION, **fields: Any) -> ModelCall:
    """A call for that text; `request` fields and those of the call by their names."""
    of_request = {
        name: fields.pop(name) for name in ("max_output_tokens", "schema", "stop", "system") if name in fields
    }
    request = replace(ModelRequest(model="", messages=(user(text),), max_output_tokens=500), **of_request)
    return ModelCall(tenant_id, purpose, request, **fields)


@dataclass
class Reader:
    """A listener that keeps what it hears."""

    text: str = ""
    restarts: list[tuple[str, str]] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, delta: str) -> None:
        self.text += delta
        self.began.set()

    async def restart(self, model: str, error_class: str) -> None:
        self.restarts.append((model, error_class))
        self.text = ""
