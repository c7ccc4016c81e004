"""A worker's jobs that read, and the model whose answers are written for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from bucatini.testing import RecordedRun, run_job
from events.ai import ContentAnalyzed, DocumentProcessed
from schemas.ai import AnalyzeContent, ProcessDocument
from tests.simulated_providers import SimulatedProviders
from workers.ai import tasks
from workers.ai.resources import Resources

LEASE = """# Lease of a warehouse

This Lease is made on 3 March 2026 between Alder Ltd (the “Landlord”) and Birch GmbH (the “Tenant”). The rent is EUR
1,250.00 a month. The landlord keeps the roof in repair."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "landlord": {"type": "string"},
        "rent": {"type": "number"},
        "deposit": {"type": ["number", "null"]},
    },
    "required": ["landlord", "rent"],
    "additionalProperties": False,
}
RENT = {"path": "/rent", "quote": "EUR 1,250.00"}
NO_FACTS: dict[str, Any] = {
    "summary": [],
    "key_phrases": [],
    "dates": [],
    "amounts": [],
    "parties": [],
    "defined_terms": [],
    "further": {"dates": 0, "amounts": 0, "parties": 0, "defined_terms": 0},
    "language": "en",
}


def extraction(data: dict[str, Any], *quotes: dict[str, str], language: str = "en") -> str:
    return json.dumps({"language": language, "data": data, "quotes": quotes})


@dataclass
class Reader:
    shared: Resources
    simulator: SimulatedProviders
    key: SecretStr
    tenant_id: UUID
    run: RecordedRun = field(init=False)

    def __post_init__(self) -> None:
        self.run = RecordedRun(tenant_id=self.tenant_id)

    def answers(self, *texts: str) -> None:
        """What the model writes to the next calls, in turn."""
        for text in texts:
            self.simulator.fault(self.key, "answer", text=text)

    async def process(self, **fields: Any) -> DocumentProcessed:
        given = {"title": "Lease", "text": LEASE, "language": "en", **fields}
        return await run_job(tasks.process, ProcessDocument.model_validate(given), uses=self.shared, run=self.run)

    async def analyze(self, **fields: Any) -> ContentAnalyzed:
        given = {"text": LEASE, "language": "en", **fields}
        return await run_job(tasks.analyze, AnalyzeContent.model_validate(given), uses=self.shared, run=self.run)

    def asked(self) -> Sequence[dict[str, Any]]:
        """What the provider received, oldest first."""
        return self.simulator.ended(self.key) if self.simulator.attempts(self.key) else []
