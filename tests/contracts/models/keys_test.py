"""Whose key a call is made with."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from infrastructure.anthropic.provider import anthropic_provider
from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.model_registry.registry import load
from infrastructure.openai.provider import responses_provider
from infrastructure.ports.ai.errors import AuthenticationRefused
from infrastructure.ports.ai.request import ModelRequest, user
from infrastructure.settings import Settings, SettingsInvalid
from infrastructure.wiring import model_providers
from tests.simulated_providers import ANTHROPIC, COMPATIBLE, MODELS, OPENAI, Simulated, SimulatedProviders, simulated

pytestmark = pytest.mark.anyio

WITHOUT_SDKS = """
import asyncio, sys
from infrastructure.anthropic.provider import anthropic_provider
from infrastructure.model_registry.registry import load
from infrastructure.openai.provider import responses_provider

async def main():
    for provider in (
        responses_provider("openai", "http://127.0.0.1:9", None, load(), needs_key=True),
        anthropic_provider("anthropic", "http://127.0.0.1:9", None, load()),
    ):
        assert not (await provider.health()).ok

asyncio.run(main())
print([name for name in ("openai", "anthropic", "aiohttp", "httpx2", "genai_prices") if name in sys.modules])
"""


def _request(model: str) -> ModelRequest:
    return ModelRequest(model, (user("What is due?"),), 50)


async def _count(simulator: SimulatedProviders, key: SecretStr) -> int:
    return len(await asyncio.to_thread(simulator.attempts, key))


async def test_a_tenants_own_key_is_used_for_its_call_alone(one: Simulated, simulator: SimulatedProviders) -> None:
    tenants = SecretStr(f"{one.key.get_secret_value()}-tenant")
    await one.provider.complete(_request(one.model), tenants)
    await one.provider.complete(_request(one.model))

    assert (await _count(simulator, tenants), await _count(simulator, one.key)) == (1, 1)


@pytest.mark.parametrize("odd", ["", " ", "a\nb", "ключ", "x" * 2_001])
async def test_a_key_that_is_none_is_refused_and_no_other_takes_its_place(
    one: Simulated, simulator: SimulatedProviders, odd: str
) -> None:
    with pytest.raises(AuthenticationRefused) as refused:
        await one.provider.complete(_request(one.model), SecretStr(odd))

    assert "the key is empty, or has characters that no key has" in str(refused.value)
    assert await _count(simulator, one.key) == 0


@pytest.mark.parametrize("name", [OPENAI, ANTHROPIC])
async def test_without_any_key_nothing_is_sent_but_a_tenant_may_bring_one(
    name: str, simulator: SimulatedProviders, tmp_path: Path
) -> None:
    one = simulated(name, simulator.url, tmp_path)
    keyless = (
        responses_provider(name, f"{simulator.url}/v1", None, one.registry, needs_key=True)
        if name == OPENAI
        else anthropic_provider(name, simulator.url, None, one.registry)
    )
    with pytest.raises(AuthenticationRefused, match=f"there is no key: set {name.upper()}_API_KEY"):
        await keyless.complete(_request(one.model))
    response = await keyless.complete(_request(one.model), one.key)
    await keyless.close()

    assert response.text
    assert await _count(simulator, one.key) == 1
    assert await _count(simulator, SecretStr("none")) == 0


def test_a_process_without_keys_never_imports_the_sdks() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_SDKS], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


async def test_the_settings_lead_to_every_provider_of_the_registry(
    simulator: SimulatedProviders, tmp_path: Path
) -> None:
    one = simulated(COMPATIBLE, simulator.url, tmp_path)
    settings = Settings(
        openai_base_url=f"{simulator.url}/v1",
        openai_api_key=one.key,
        anthropic_base_url=simulator.url,
        anthropic_api_key=one.key,
        compatible_base_url=f"{simulator.url}/v1",
    )
    async with (
        processor_pool(1) as processors,
        model_providers(settings, one.registry, processors) as providers,
    ):
        for name in (OPENAI, ANTHROPIC, COMPATIBLE):
            assert (await providers[name].complete(_request(MODELS[name]))).provider == name
        assert (await providers["offline"].complete(_request("offline"))).text

    assert await _count(simulator, one.key) == 2


async def test_a_key_of_the_settings_that_is_none_is_named_and_not_shown(tmp_path: Path) -> None:
    settings = Settings(anthropic_api_key=SecretStr("sk-with a space"))
    with pytest.raises(SettingsInvalid, match="ANTHROPIC_API_KEY can't be used") as invalid:
        async with processor_pool(1) as processors, model_providers(settings, load(), processors):
            pass

    assert "space" not in str(invalid.value)
