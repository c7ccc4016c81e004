"""Real workers that write with simulated providers, as a test of generation holds them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from events.ai import SectionCompleted
from infrastructure.local_stack.supervisor.processes import Running
from schemas.ai import GenerateDocument, PromptRef
from tests.integration.serving import World
from tests.simulated_providers import SimulatedProviders
from tests.system import System
from tests.waiting import wait_until

QUICK = {"HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "3", "SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "1"}
REPORT = PromptRef(name="status_report", version=1)
FACTS: dict[str, Any] = {"project": "Harbour crane", "report_date": "2026-11-30", "status": "green"}
HEADINGS = [
    "Harbour crane: status at 30 November 2026",
    "Done since the last report",
    "Next",
    "Budget",
    "Risks and decisions",
]


def report(**fields: Any) -> GenerateDocument:
    """A command for the shipped status report, which has five sections."""
    return GenerateDocument(**{"title": "Status", "prompt": REPORT, "facts": FACTS, **fields})


@dataclass
class Writers:
    system: System
    simulator: SimulatedProviders
    key: SecretStr

    def start(self, *models: str) -> Running:
        """A worker, ready to write with these models."""
        return self.system.start("workers.runtime", "ai", **self.environment(*models))

    def environment(self, *models: str) -> dict[str, str]:
        key = self.key.get_secret_value()
        return {
            **QUICK,
            "OPENAI_BASE_URL": f"{self.simulator.url}/v1",
            "OPENAI_API_KEY": key,
            "ANTHROPIC_BASE_URL": self.simulator.url,
            "ANTHROPIC_API_KEY": key,
            "AI_MODELS": ",".join(models or ("gpt-6-luna",)),
        }

    def attempts(self) -> list[dict[str, Any]]:
        return self.simulator.ended(self.key)

    def recorded(self, job_id: UUID, event: str = SectionCompleted.type) -> list[dict[str, Any]]:
        """What the job's timeline has of this type."""
        statement = "SELECT data FROM job_events WHERE job_id = %s AND type = %s ORDER BY seq"
        return [data for (data,) in self.system.read(statement, job_id, event)]

    def await_sections(self, job_id: UUID, count: int) -> None:
        wait_until(lambda: len(self.recorded(job_id)) >= count, f"{count} sections are finished")

    def cancel(self, job_id: UUID) -> None:
        """As a person does it."""
        with World(self.system.settings) as world, world.http(world.another_key(self.system.tenant_id)) as http:
            http.post(f"/api/jobs/{job_id}/cancel").raise_for_status()

    def result(self, job_id: UUID) -> dict[str, Any]:
        """Once the job succeeded."""
        state = self.system.await_state(job_id, "succeeded", "failed", "dead")
        assert state == "succeeded", json.dumps(self.system.problem(job_id))
        found: dict[str, Any] = self.system.read("SELECT result FROM jobs WHERE id = %s", job_id)[0][0]
        return found

    def refusal(self, job_id: UUID) -> str:
        """The type of the problem, once the job failed for good."""
        state = self.system.await_state(job_id, "succeeded", "failed", "dead")
        assert state == "failed"
        return str(self.system.problem(job_id)["type"].rsplit("/", 1)[-1])
