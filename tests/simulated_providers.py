"""The provider simulator as tests use it: a process of its own, reached through the real SDKs. Each test takes a key of its
own, so that tests which share a simulator share neither faults nor bills."""

import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from pydantic import SecretStr

from infrastructure.anthropic.provider import anthropic_provider
from infrastructure.model_http.provider import HttpModelProvider
from infrastructure.model_registry.registry import ModelRegistry, load
from infrastructure.openai.provider import chat_provider, responses_provider
from infrastructure.simulator.journal import fingerprint
from tests.waiting import wait_until

OPENAI, ANTHROPIC, COMPATIBLE = "openai", "anthropic", "compatible"
MODELS = {OPENAI: "gpt-6-luna", ANTHROPIC: "claude-sonnet-5-5", COMPATIBLE: "house-model"}
REGISTRY = """
[providers.compatible]
api = "chat"
base_url = "http://127.0.0.1:9/v1"

[models.house-model]
provider = "compatible"
max_input_tokens = 8_000
max_output_tokens = 4_000
accepts = ["temperature", "stop", "schema"]
rates = { input_mtok = "0.5", output_mtok = "1" }
"""


class SimulatedProviders:
    """The process, until the block ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "infrastructure.simulator", "127.0.0.1", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[1]
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._process.kill()
        self._process.wait()

    def fault(self, key: SecretStr, kind: str, **fields: Any) -> None:
        """The next request with the key meets it."""
        scripted = {"kind": kind, "key": key.get_secret_value(), **fields}
        self._http.post("/control/faults", json=scripted).raise_for_status()

    def pace(self, **pace: float) -> None:
        """How fast its models write. For a simulator that no other test shares."""
        self._http.put("/control/pace", json=pace).raise_for_status()

    def attempts(self, key: SecretStr) -> list[dict[str, Any]]:
        """What this simulator saw of the key, oldest first."""
        found = self._http.get("/control/journal").raise_for_status().json()
        return [one for one in found if one["key"] == fingerprint(key.get_secret_value())]

    def ended(self, key: SecretStr) -> list[dict[str, Any]]:
        """The same, once none is running any more."""

        def all_ended() -> list[dict[str, Any]]:
            found = self.attempts(key)
            return found if all(one["ending"] != "running" for one in found) else []

        return wait_until(all_ended, "the simulated provider is done with every attempt")

    def charged(self, key: SecretStr) -> Decimal:
        """What the provider's own ledger says that the key owes."""
        self.ended(key)
        series = self._http.get("/control/ledger").raise_for_status().json()["series"]
        mine = (one for one in series if one["key"] == fingerprint(key.get_secret_value()))
        return sum((Decimal(one["dollars"]) for one in mine), Decimal(0))


@dataclass(frozen=True, slots=True)
class Simulated:
    """One adapter, and what it takes to call it."""

    provider: HttpModelProvider
    model: str
    key: SecretStr
    registry: ModelRegistry


def simulated(name: str, url: str, folder: Path) -> Simulated:
    """The adapter of that name, leading to `url`, with a key that nobody else has."""
    file = folder / "models.toml"
    file.write_text(REGISTRY)
    registry = load(file)
    key = SecretStr(f"sk-test-{uuid4().hex}")
    match name:
        case "openai":
            provider = responses_provider(name, f"{url}/v1", key, registry, needs_key=True)
        case "anthropic":
            provider = anthropic_provider(name, url, key, registry)
        case _:
            provider = chat_provider(name, f"{url}/v1", key, registry, needs_key=False)
    return Simulated(provider, MODELS[name], key, registry)
