"""The simulated provider of a run, and the gateway that is measured in front of it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx

from infrastructure.local_stack.servers.loopback import free_port
from tests.benchmarks.models.driver import MODEL, Timed
from tests.benchmarks.stage import Show
from tests.benchmarks.systems import PEERS_ENVIRONMENT
from tests.simulated_providers import REGISTRY, SimulatedProviders
from tests.waiting import wait_until

GATEWAY = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {url}
      api_key: sk-bench
litellm_settings:
  num_retries: 0
"""
DRIVE_SECONDS = 240.0
GATEWAY_SECONDS = 240.0
"""What it takes to start, on a busy machine."""


class Providers(SimulatedProviders):
    """A simulator whose pace a scenario sets."""

    def pace(self, **seconds: float) -> None:
        self._http.put("/control/pace", json=seconds).raise_for_status()

    @property
    def chat_url(self) -> str:
        return f"{self.url}/v1"


@contextmanager
def gateway(show: Show, providers: Providers) -> Iterator[str]:
    """LiteLLM's proxy in front of the simulator, as one process: its address."""
    config = show.folder / "gateway.yaml"
    config.write_text(GATEWAY.format(model=MODEL, url=providers.chat_url))
    port = free_port()
    # It would keep keys and spending in our database, if it knew one.
    without = (arg for name in ("DATABASE_URL", "REDIS_URL", "PYTHONPATH") for arg in ("-u", name))
    running = show.start_program(
        "gateway",
        "/usr/bin/env",
        *without,
        str(PEERS_ENVIRONMENT / "bin" / "litellm"),
        *("--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
        HOME=str(show.folder),
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health/liveliness", trust_env=False, timeout=5).is_success
        except httpx.HTTPError:
            return False

    wait_until(answers, "the gateway answers", within_seconds=GATEWAY_SECONDS)
    try:
        yield f"{url}/v1"
    finally:
        running.kill()
        del show.running["gateway"]


def environment(show: Show, providers: Providers) -> dict[str, str]:
    """Of whoever calls the simulated provider."""
    registry = show.folder / "models.toml"
    registry.write_text(REGISTRY)
    return {
        "AI_MODELS_FILE": str(registry),
        "AI_MODELS": MODEL,
        "COMPATIBLE_BASE_URL": providers.chat_url,
        "COMPATIBLE_API_KEY": "sk-bench",
    }


def drive(show: Show, providers: Providers, *verb: object, program: str = "driver", processes: int = 1) -> list[Timed]:
    """Runs so many drivers side by side. What each says of its calls."""
    argv = (sys.executable, "-m", f"tests.benchmarks.models.{program}", *map(str, verb))
    names = [f"{program}-{number}" for number in range(processes)]
    drivers = [show.start_program(name, *argv, **environment(show, providers)) for name in names]
    try:
        for one in drivers:
            one.await_end(within_seconds=DRIVE_SECONDS)
        return [_said(one.program.log) for one in drivers]
    finally:
        for name in names:
            show.running.pop(name).kill()


def _said(log: Path) -> Timed:
    last = next(line for line in reversed(log.read_text().splitlines()) if line.startswith('{"calls"'))
    return Timed(**json.loads(last))


def detail(timed: Timed) -> dict[str, float | str]:
    return dict(asdict(timed))
