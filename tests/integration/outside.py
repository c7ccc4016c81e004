"""The outside as webhooks see it: a receiver in a process of its own, and a tenant who has events sent there."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from infrastructure.local_stack.supervisor.processes import Running
from tests.integration.serving import Tenant, World
from tests.system import System
from tests.waiting import wait_until

LOOPBACK = {"WEBHOOK_LOOPBACK": "true"}


class Outside:
    """A tenant with a receiver of its own, behind the ingress that makes webhooks to it."""

    def __init__(self, system: System, world: World, port: int, file: Path) -> None:
        self.system = system
        self.world = world
        self.tenant: Tenant = world.tenant()
        self._file = file
        self._own = f"/{uuid4().hex}"
        self._url = f"http://127.0.0.1:{port}{self._own}"

    def hurry(self) -> None:
        """As if every retry were due."""
        self.world.database.execute("UPDATE jobs SET run_at = now(), wake_at = now() WHERE state = 'retrying'")

    def call(self, method: str, path: str, status: int, body: object = None) -> Any:
        with self.world.http(self.tenant) as http:
            answer = http.request(method, f"/api/webhooks{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def webhook(self, path: str, *types: str) -> Any:
        return self.call("POST", "", 201, {"url": self._url + path, "types": types or ["job.*"]})

    def received(self, path: str) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        noted = [json.loads(line) for line in self._file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [one for one in noted if one["path"] == self._own + path]

    def ids(self, path: str) -> Counter[str]:
        return Counter(json.loads(one["body"])["id"] for one in self.received(path))

    def deliveries(self, webhook: Any, **query: str) -> list[dict[str, Any]]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        found: list[dict[str, Any]] = self.call("GET", f"/{webhook['id']}/deliveries?{asked}", 200)["deliveries"]
        return found

    def delivery(self, webhook: Any, state: str, **query: str) -> dict[str, Any]:
        """The newest, once it is in the state."""

        def newest() -> dict[str, Any] | None:
            found = self.deliveries(webhook, **query)
            return found[0] if found and found[0]["state"] == state else None

        return wait_until(newest, f"the newest delivery is {state}") or {}


class Receiving:
    """A system whose webhooks may reach the receiver that runs beside it."""

    def __init__(self, system: System, world: World) -> None:
        self.system = system
        self.world = world
        self._file = Path(system.folder / "received.jsonl")
        self._port = self._started()

    def outside(self) -> Outside:
        return Outside(self.system, self.world, self._port, self._file)

    def worker(self, **environment: str) -> Running:
        return self.system.start("workers.runtime", "webhooks", **LOOPBACK, **environment)

    def _started(self) -> int:
        receiver = self.system.start("tests.receiver", str(self._file))
        found = re.search(r"ready: (\d+)", receiver.program.log.read_text())
        assert found is not None
        return int(found[1])


@contextmanager
def receiving(system: System) -> Iterator[Receiving]:
    with World(system.settings.model_copy(update={"webhook_loopback": True})) as world:
        yield Receiving(system, world)
