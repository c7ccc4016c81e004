"""A tenant who indexes over HTTP, on a running ingress with its workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from tests.integration.serving import Tenant, World
from tests.system import System
from tests.waiting import wait_until

OFTEN = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "0.5", "HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "5"}


def lease(number: int | str, text: str = "The rent is due.", **fields: Any) -> dict[str, Any]:
    return {"document_id": f"lease-{number}", "title": "Lease", "text": text, "document_type": "lease", **fields}


@dataclass(frozen=True, slots=True)
class Catalogue:
    system: System
    tenant: Tenant
    http: httpx.Client

    def index(self, body: dict[str, Any]) -> UUID:
        answer = self.http.post("/api/search/index-document", json=body)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def unindex(self, document_id: str) -> UUID:
        answer = self.http.delete(f"/api/search/index-document/{document_id}")
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["job_id"])

    def submit(self, path: str) -> UUID:
        answer = self.http.post(f"/api/search/{path}", json={})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def result(self, job_id: UUID) -> dict[str, Any]:
        self.system.await_state(job_id, "succeeded")
        result: dict[str, Any] = self.http.get(f"/api/jobs/{job_id}").json()["result"]
        return result

    def indexed(self, body: dict[str, Any]) -> dict[str, Any]:
        return self.result(self.index(body))

    def found(self, text: str | None = None) -> list[tuple[str, int]]:
        match = {} if text is None else {"match": {"op": "all_terms", "text": text}}
        answer = self.http.post("/api/search/advanced", json={**match, "limit": 100})
        assert answer.status_code == 200, answer.text
        return sorted((hit["document_id"], hit["version"]) for hit in answer.json()["hits"])

    def save(self, name: str, text: str) -> None:
        query = {"match": {"op": "all_terms", "text": text}}
        answer = self.http.put(f"/api/search/saved/{name}", json={"query": query})
        assert answer.status_code == 200, answer.text

    def told(self) -> list[tuple[str, str, int]]:
        """What saved searches were told of, once no job that could tell more is left."""
        wait_until(lambda: not self._under_way(), "all jobs have ended")
        rows = self.system.read(
            "SELECT data->>'name', data->>'document_id', (data->>'version')::int FROM job_events "
            "WHERE tenant_id = %s AND type = 'search.saved_matched' ORDER BY 1, 2, 3",
            self.tenant.id,
        )
        return [(name, document, version) for name, document, version in rows]

    def _under_way(self) -> bool:
        open_states = "('queued', 'running', 'retrying', 'waiting', 'scheduled')"
        statement = f"SELECT count(*) FROM jobs WHERE tenant_id = %s AND state IN {open_states}"
        return bool(self.system.read(statement, self.tenant.id)[0][0])


@contextmanager
def catalogue(system: System, served: World) -> Iterator[Catalogue]:
    tenant = served.tenant()
    with served.http(tenant) as http:
        yield Catalogue(system, tenant, http)
